#include "streams/ids.h"

#include <charconv>
#include <limits>

namespace tocsin::streams {
namespace {

// Redis reads ids with strtoull where its strict parser fails, so leading zeros, spaces and a plus pass.
std::optional<uint64_t> ParseUnsigned(std::string_view text) {
  while (!text.empty() && (text.front() == ' ' || (text.front() >= '\t' && text.front() <= '\r'))) {
    text.remove_prefix(1);
  }
  if (!text.empty() && text.front() == '+') text.remove_prefix(1);
  uint64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return value;
}

constexpr size_t kMaxIdText = 127;  // longer texts are no ids, as in Redis

}  // namespace

std::optional<model::EntryId> ParseId(std::string_view text, uint64_t missing_seq) {
  if (text.size() > kMaxIdText) return std::nullopt;
  const size_t dash = text.find('-');
  const auto ms = ParseUnsigned(text.substr(0, dash));
  if (!ms) return std::nullopt;
  if (dash == std::string_view::npos) return model::EntryId{*ms, missing_seq};
  const auto seq = ParseUnsigned(text.substr(dash + 1));
  if (!seq) return std::nullopt;
  return model::EntryId{*ms, *seq};
}

std::optional<RangeEnd> ParseRangeEnd(std::string_view text, uint64_t missing_seq) {
  if (text == "-") return RangeEnd{.id = {0, 0}};
  if (text == "+") return RangeEnd{.id = model::EntryId::Max()};
  const bool open = text.size() > 1 && text.front() == '(';
  const auto id = ParseId(open ? text.substr(1) : text, missing_seq);
  if (!id) return std::nullopt;
  return RangeEnd{.id = *id, .open = open};
}

std::optional<AddId> ParseAddId(std::string_view text) {
  if (text == "*") return AddId::Auto();
  if (text.size() > 2 && text.size() <= kMaxIdText && text.ends_with("-*")) {
    const auto ms = ParseUnsigned(text.substr(0, text.size() - 2));
    if (!ms) return std::nullopt;
    return AddId::AutoSeq(*ms);
  }
  const auto id = ParseId(text);
  if (!id) return std::nullopt;
  return AddId::Whole(*id);
}

}  // namespace tocsin::streams
