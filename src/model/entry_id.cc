#include "model/entry_id.h"

#include <algorithm>
#include <charconv>

#include "base/check.h"
#include "model/bytes.h"

namespace tocsin::model {

std::optional<EntryId> EntryId::Next() const {
  constexpr uint64_t kTop = std::numeric_limits<uint64_t>::max();
  if (seq < kTop) return EntryId{ms, seq + 1};
  if (ms < kTop) return EntryId{ms + 1, 0};
  return std::nullopt;
}

std::optional<EntryId> EntryId::Previous() const {
  if (seq > 0) return EntryId{ms, seq - 1};
  if (ms > 0) return EntryId{ms - 1, std::numeric_limits<uint64_t>::max()};
  return std::nullopt;
}

void EntryId::AppendTo(std::string& out) const {
  char text[44];
  char* end = std::to_chars(text, text + 20, ms).ptr;
  *end++ = '-';
  end = std::to_chars(end, text + sizeof text, seq).ptr;
  out.append(text, end);
}

std::string EntryId::ToString() const {
  std::string text;
  AppendTo(text);
  return text;
}

std::optional<EntryId> EntryId::Parse(std::string_view text) {
  EntryId id;
  const char* end = text.data() + text.size();
  auto first = std::from_chars(text.data(), end, id.ms);
  if (first.ec != std::errc() || first.ptr == end || *first.ptr != '-') return std::nullopt;
  auto second = std::from_chars(first.ptr + 1, end, id.seq);
  if (second.ec != std::errc() || second.ptr != end) return std::nullopt;
  return id;
}

void EntryId::EncodeTo(std::string& out) const {
  PutBig64(out, ms);
  PutBig64(out, seq);
}

EntryId EntryId::Decode(std::string_view bytes) {
  CHECK(bytes.size() >= kEncodedSize);
  return {GetBig64(bytes.data()), GetBig64(bytes.data() + 8)};
}

EntryId NextLogId(EntryId last, int64_t now_ms, EntryId floor) {
  std::optional<EntryId> next = last.Next();
  CHECK_MSG(next, "a log has used its last id");
  EntryId now{static_cast<uint64_t>(std::max<int64_t>(now_ms, 0)), 0};
  return std::max({*next, now, floor});
}

}  // namespace tocsin::model
