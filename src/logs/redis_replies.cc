#include "logs/redis_replies.h"

#include <algorithm>
#include <charconv>
#include <utility>

#include "logs/redis_element.h"
#include "logs/redis_keys.h"

namespace tocsin::logs {
namespace {

using base::Code;
using base::Result;
using base::Status;
using model::EntryId;
using wire::RespReply;
using Type = RespReply::Type;

constexpr size_t kCountsBytes = 4 * (2 + model::kPriorities);  // then the categories
constexpr size_t kHeadBytes = 2 * kShortIdBytes + 2 * 6;       // last, floor, entries, trimmed; then the counts

Status Damaged(std::string_view what) {
  return Status(Code::kCorruption, "a log on Redis cannot be read: " + std::string(what));
}

bool IsArray(const RespReply& reply, size_t size) {
  return reply.type == Type::kArray && reply.elements.size() == size;
}

bool IsBytes(const RespReply& reply, size_t size) { return reply.type == Type::kBulk && reply.text.size() == size; }
bool IsId(const RespReply& reply) { return IsBytes(reply, kShortIdBytes); }

// `size` bytes at `at`, big-endian.
uint64_t NumberAt(std::string_view bytes, size_t at, size_t size) {
  uint64_t number = 0;
  for (unsigned char byte : bytes.substr(at, size)) number = number << 8 | byte;
  return number;
}

bool CountsOf(std::string_view bytes, Counts& counts) {
  if (bytes.size() < kCountsBytes) return false;
  auto number = [&](size_t at) { return static_cast<uint32_t>(NumberAt(bytes, 4 * at, 4)); };
  counts.unread = number(0);
  counts.unseen = number(1);
  for (size_t priority = 0; priority < model::kPriorities; ++priority) {
    counts.unread_by_priority[priority] = number(2 + priority);
  }
  for (std::string_view rest = bytes.substr(kCountsBytes); !rest.empty();) {
    const size_t size = static_cast<unsigned char>(rest[0]);
    if (rest.size() < 1 + size + 4) return false;
    counts.unread_by_category.emplace_back(rest.substr(1, size), static_cast<uint32_t>(NumberAt(rest, 1 + size, 4)));
    rest.remove_prefix(1 + size + 4);
  }
  std::sort(counts.unread_by_category.begin(), counts.unread_by_category.end());
  return true;
}

Result<std::vector<LogLine>> DecodeLines(const RespReply& reply) {
  if (reply.type != Type::kArray) return Damaged("no entries");
  std::vector<LogLine> lines;
  lines.reserve(reply.elements.size());
  for (const RespReply& element : reply.elements) {
    auto line = DecodeElement(element.text);
    if (!line.ok()) return line.status();
    lines.push_back(std::move(*line));
  }
  return lines;
}

std::vector<std::string> Texts(const RespReply& reply) {
  std::vector<std::string> texts;
  for (const RespReply& element : reply.elements) texts.push_back(element.text);
  return texts;
}

}  // namespace

Result<LogHead> DecodeHeadReply(const RespReply& reply) {
  if (reply.type != Type::kBulk || reply.text.size() < kHeadBytes) return Damaged("its head");
  const std::string_view bytes = reply.text;
  LogHead head;
  head.last = DecodeShortId(bytes);
  head.floor = DecodeShortId(bytes.substr(kShortIdBytes));
  head.entries = NumberAt(bytes, 2 * kShortIdBytes, 6);
  head.trimmed = NumberAt(bytes, 2 * kShortIdBytes + 6, 6);
  if (!CountsOf(bytes.substr(kHeadBytes), head.counts)) return Damaged("its counts");
  head.stated = head.last;  // states lie with the entries
  return head;
}

Result<LogOpening> DecodeOpening(const RespReply& reply, std::string_view user) {
  if (!IsArray(reply, 4) || !IsId(reply.elements[1])) return Damaged("an opening");
  LogOpening opening;
  opening.epoch = KeyedEpoch(reply.elements[0].text, user);
  opening.lost = DecodeShortId(reply.elements[1].text);
  auto head = DecodeHeadReply(reply.elements[2]);
  if (!head.ok()) return head.status();
  opening.head = std::move(*head);
  opening.head.last = std::max(opening.head.last, opening.lost);
  if (IsId(reply.elements[3])) opening.device_cursor = DecodeShortId(reply.elements[3].text);
  if (opening.device_cursor == EntryId{}) opening.device_cursor.reset();  // it has acknowledged in topics only
  return opening;
}

Result<LogPiece> DecodePiece(const RespReply& reply, EntryId after) {
  if (!IsArray(reply, 4) || !IsId(reply.elements[1]) || !IsId(reply.elements[3])) return Damaged("a piece of it");
  LogPiece piece;
  piece.complete = reply.elements[0].integer != 0;
  piece.gap = after < DecodeShortId(reply.elements[1].text);
  auto lines = DecodeLines(reply.elements[2]);
  if (!lines.ok()) return lines.status();
  piece.lines = std::move(*lines);
  piece.lost = DecodeShortId(reply.elements[3].text);
  return piece;
}

Result<LogTrace> DecodeTrace(const RespReply& reply) {
  if (!IsArray(reply, 2)) return Damaged("a trace");
  LogTrace trace;
  if (!reply.elements[0].text.empty()) {
    auto line = DecodeElement(reply.elements[0].text);
    if (!line.ok()) return line.status();
    trace.id = line->entry->id;
    trace.state = line->state;
  }
  const std::vector<RespReply>& devices = reply.elements[1].elements;
  for (size_t i = 0; i + 1 < devices.size(); i += 2) {
    const std::string& record = devices[i + 1].text;
    if (record.size() != kShortIdBytes + 6) return Damaged("a device");
    int64_t heard_ms = 0;
    for (size_t at = kShortIdBytes; at < record.size(); ++at) {
      heard_ms = heard_ms * 256 + static_cast<unsigned char>(record[at]);
    }
    trace.devices.push_back({devices[i].text, DecodeShortId(record), heard_ms});
  }
  return trace;
}

Result<ListPage> DecodePage(const RespReply& reply) {
  if (!IsArray(reply, 2)) return Damaged("a page of it");
  ListPage page;
  if (IsId(reply.elements[0])) page.before = DecodeShortId(reply.elements[0].text);
  auto lines = DecodeLines(reply.elements[1]);
  if (!lines.ok()) return lines.status();
  page.lines = std::move(*lines);
  return page;
}

Result<MarkReply> DecodeMark(const RespReply& reply) {
  if (!IsArray(reply, 5) || !IsId(reply.elements[3])) return Damaged("a mark");
  auto head = DecodeHeadReply(reply.elements[0]);
  if (!head.ok()) return head.status();
  MarkReply mark;
  if (!CountsOf(reply.elements[1].text, mark.counts)) return Damaged("the counts of a mark");
  mark.update.floor = head->floor;
  mark.update.counts = head->counts;
  mark.update.last = head->last;
  mark.update.after = DecodeShortId(reply.elements[3].text);
  mark.watchers = Texts(reply.elements[4]);
  if (reply.elements[2].text.empty()) return mark;
  auto line = DecodeElement(reply.elements[2].text);
  if (!line.ok()) return line.status();
  mark.update.entries.push_back(std::move(line->entry));
  return mark;
}

Result<AppendReply> DecodeAppend(const RespReply& reply, size_t items) {
  if (IsArray(reply, 1)) {
    const std::string& tag = reply.elements[0].text;
    uint64_t number = 0;
    const auto [end, error] = std::from_chars(tag.data(), tag.data() + tag.size(), number);
    if (error != std::errc() || end != tag.data() + tag.size()) return Damaged("a tag");
    return AppendReply{.update = {}, .ids = {}, .replaced = {}, .watchers = {}, .other_preferences = number};
  }
  if (!IsArray(reply, 5) || !IsId(reply.elements[0])) return Damaged("an append");
  auto head = DecodeHeadReply(reply.elements[1]);
  if (!head.ok()) return head.status();
  const std::string_view ids = reply.elements[2].text;
  if (ids.size() != items * kShortIdBytes) return Damaged("the ids of an append");
  AppendReply appended;
  appended.update.floor = head->floor;
  appended.update.counts = head->counts;
  appended.update.last = head->last;
  appended.update.after = DecodeShortId(reply.elements[0].text);
  for (size_t at = 0; at < items; ++at) appended.ids.push_back(DecodeShortId(ids.substr(at * kShortIdBytes)));
  appended.watchers = Texts(reply.elements[3]);
  for (const RespReply& replaced : reply.elements[4].elements) {
    if (!IsArray(replaced, 3)) return Damaged("what an append has replaced");
    const int64_t item = replaced.elements[0].integer;
    if (item < 0 || item >= static_cast<int64_t>(items)) return Damaged("what an append has replaced");
    auto change = DecodeElement(replaced.elements[2].text);
    if (!change.ok()) return change.status();
    appended.replaced.push_back({static_cast<size_t>(item), replaced.elements[1].text, std::move(change->entry)});
  }
  return appended;
}

}  // namespace tocsin::logs
