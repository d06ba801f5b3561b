// What the operators' commands print: bytes of strangers made harmless, tables, a JSON object a line.
//
// 1. Nothing that a stranger wrote reaches the terminal as it is: control characters (an escape sequence could set the
//    window's title, move the cursor over what stands there, or type), bytes that are no UTF-8, and the invisible and
//    direction-turning characters of Unicode are written out.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace tocsin::server {

// For people: `\n` `\t` `\r` `\\`, `\x1b` for other bytes, `\u{202e}` for characters.
std::string Escaped(std::string_view bytes);
// The same, cut at `max` characters, with `...` at the end of what was cut.
std::string Shortened(std::string_view bytes, size_t max);

// A string in quotes, of valid UTF-8; a byte that is none becomes the text `\x1b` (in JSON: "\\x1b").
void AppendJsonText(std::string& json, std::string_view bytes);

// "0s", "45s", "12m3s", "4h12m", "7d4h".
std::string ShortAge(int64_t ms);
// "812 B", "1.2 KiB", "3.0 MiB".
std::string ShortBytes(uint64_t bytes);

// A JSON object, member by member.
class JsonLine {
 public:
  JsonLine& Text(std::string_view name, std::string_view value);
  JsonLine& Number(std::string_view name, int64_t value);
  JsonLine& Null(std::string_view name);
  // `json` is JSON already.
  JsonLine& Raw(std::string_view name, std::string_view json);
  std::string ToString() const { return "{" + members_ + "}"; }

 private:
  void Name(std::string_view name);
  std::string members_{};
};

// Columns as wide as their widest cell. Cells are printed as they are: the caller has escaped them.
class Table {
 public:
  enum class Align : uint8_t { kLeft, kRight };
  struct Column {
    std::string head;
    Align align = Align::kLeft;
  };

  explicit Table(std::vector<Column> columns) : columns_(std::move(columns)) {}

  // As many cells as there are columns.
  void Add(std::vector<std::string> cells) { rows_.push_back(std::move(cells)); }
  size_t size() const { return rows_.size(); }
  // By the first cell.
  void Sort();
  std::string ToString() const;

 private:
  std::vector<Column> columns_;
  std::vector<std::vector<std::string>> rows_{};
};

}  // namespace tocsin::server
