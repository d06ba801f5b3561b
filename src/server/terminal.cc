#include "server/terminal.h"

#include <algorithm>
#include <cstdio>

#include "base/utf8.h"

namespace tocsin::server {
namespace {

uint32_t CodePoint(std::string_view character) {
  auto byte = [character](size_t i) { return static_cast<uint32_t>(static_cast<unsigned char>(character[i])); };
  switch (character.size()) {
    case 1:
      return byte(0);
    case 2:
      return (byte(0) & 0x1f) << 6 | (byte(1) & 0x3f);
    case 3:
      return (byte(0) & 0x0f) << 12 | (byte(1) & 0x3f) << 6 | (byte(2) & 0x3f);
    default:
      return (byte(0) & 0x07) << 18 | (byte(1) & 0x3f) << 12 | (byte(2) & 0x3f) << 6 | (byte(3) & 0x3f);
  }
}

// Controls, and what cannot be seen but changes how the rest is seen.
bool IsUnsafe(uint32_t c) {
  return c < 0x20 || (c >= 0x7f && c < 0xa0) || c == 0xad || (c >= 0x200b && c <= 0x200f) ||
         (c >= 0x2028 && c <= 0x202e) || (c >= 0x2060 && c <= 0x206f) || c == 0xfeff || (c >= 0xfff9 && c <= 0xfffb) ||
         (c >= 0xe0000 && c <= 0xe007f);
}

std::string Formatted(const char* format, unsigned number) {
  char text[16];
  std::snprintf(text, sizeof text, format, number);
  return text;
}

std::string HexByte(char byte) { return Formatted("\\x%02x", static_cast<unsigned char>(byte)); }

// Takes the character that `rest` begins with (or the byte, where it begins with none), written for people.
std::string TakeEscaped(std::string_view& rest) {
  size_t size = base::Utf8Length(rest);
  if (size == 0) {
    std::string shown = HexByte(rest.front());
    rest.remove_prefix(1);
    return shown;
  }
  std::string_view character = rest.substr(0, size);
  rest.remove_prefix(size);
  switch (character.front()) {
    case '\n':
      return "\\n";
    case '\r':
      return "\\r";
    case '\t':
      return "\\t";
    case '\\':
      return "\\\\";
    default:
      break;
  }
  uint32_t code = CodePoint(character);
  if (!IsUnsafe(code)) return std::string(character);
  return size == 1 ? HexByte(character.front()) : Formatted("\\u{%x}", code);
}

void AppendJsonUnit(std::string& json, uint32_t unit) { json += Formatted("\\u%04x", unit); }

// Characters, which is near enough to columns.
size_t WidthOf(std::string_view text) {
  return static_cast<size_t>(
      std::count_if(text.begin(), text.end(), [](char c) { return (static_cast<unsigned char>(c) & 0xc0) != 0x80; }));
}

}  // namespace

std::string Escaped(std::string_view bytes) {
  std::string shown;
  while (!bytes.empty()) shown += TakeEscaped(bytes);
  return shown;
}

std::string Shortened(std::string_view bytes, size_t max) {
  std::string shown;
  size_t width = 0;
  while (!bytes.empty()) {
    std::string next = TakeEscaped(bytes);
    width += WidthOf(next);
    if (width > max) return shown + "...";
    shown += next;
  }
  return shown;
}

void AppendJsonText(std::string& json, std::string_view bytes) {
  json += '"';
  while (!bytes.empty()) {
    size_t size = base::Utf8Length(bytes);
    std::string_view character = bytes.substr(0, std::max<size_t>(size, 1));
    bytes.remove_prefix(character.size());
    uint32_t code = size == 0 ? 0 : CodePoint(character);
    if (size == 0) {
      json += "\\" + HexByte(character.front());
    } else if (code == '"' || code == '\\') {
      json += '\\';
      json += character;
    } else if (!IsUnsafe(code)) {
      json += character;
    } else if (code < 0x10000) {
      AppendJsonUnit(json, code);
    } else {
      AppendJsonUnit(json, 0xd800 + ((code - 0x10000) >> 10));
      AppendJsonUnit(json, 0xdc00 + ((code - 0x10000) & 0x3ff));
    }
  }
  json += '"';
}

std::string ShortAge(int64_t ms) {
  int64_t s = std::max<int64_t>(ms, 0) / 1000;
  auto two = [](int64_t large, char unit, int64_t small, char small_unit) {
    std::string text = std::to_string(large) + unit;
    return small == 0 ? text : text + std::to_string(small) + small_unit;
  };
  if (s < 60) return std::to_string(s) + "s";
  if (s < 3600) return two(s / 60, 'm', s % 60, 's');
  if (s < 86'400) return two(s / 3600, 'h', s % 3600 / 60, 'm');
  return two(s / 86'400, 'd', s % 86'400 / 3600, 'h');
}

std::string ShortBytes(uint64_t bytes) {
  if (bytes < 1024) return std::to_string(bytes) + " B";
  constexpr const char* kUnits[] = {"KiB", "MiB", "GiB", "TiB"};
  auto amount = static_cast<double>(bytes) / 1024;
  size_t unit = 0;
  while (amount >= 1024 && unit + 1 < std::size(kUnits)) {
    amount /= 1024;
    ++unit;
  }
  char text[48];
  std::snprintf(text, sizeof text, "%.1f %s", amount, kUnits[unit]);
  return text;
}

void JsonLine::Name(std::string_view name) {
  if (!members_.empty()) members_ += ',';
  AppendJsonText(members_, name);
  members_ += ':';
}

JsonLine& JsonLine::Text(std::string_view name, std::string_view value) {
  Name(name);
  AppendJsonText(members_, value);
  return *this;
}

JsonLine& JsonLine::Number(std::string_view name, int64_t value) {
  Name(name);
  members_ += std::to_string(value);
  return *this;
}

JsonLine& JsonLine::Null(std::string_view name) {
  Name(name);
  members_ += "null";
  return *this;
}

JsonLine& JsonLine::Raw(std::string_view name, std::string_view json) {
  Name(name);
  members_ += json;
  return *this;
}

void Table::Sort() {
  std::sort(rows_.begin(), rows_.end(), [](const auto& a, const auto& b) { return a.front() < b.front(); });
}

std::string Table::ToString() const {
  std::vector<size_t> widths;
  for (const Column& column : columns_) widths.push_back(WidthOf(column.head));
  for (const auto& row : rows_) {
    for (size_t i = 0; i < widths.size(); ++i) widths[i] = std::max(widths[i], WidthOf(row[i]));
  }
  std::string out;
  auto print = [&](const auto& cell_of) {
    std::string line;
    for (size_t i = 0; i < columns_.size(); ++i) {
      const std::string& cell = cell_of(i);
      std::string padding(widths[i] - WidthOf(cell), ' ');
      if (i > 0) line += "  ";
      line += columns_[i].align == Align::kRight ? padding + cell : cell + padding;
    }
    line.erase(line.find_last_not_of(' ') + 1);
    out += line + "\n";
  };
  print([this](size_t i) -> const std::string& { return columns_[i].head; });
  for (const auto& row : rows_) print([&row](size_t i) -> const std::string& { return row[i]; });
  return out;
}

}  // namespace tocsin::server
