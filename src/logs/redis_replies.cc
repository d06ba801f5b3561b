#include "logs/redis_replies.h"

#include <algorithm>
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

constexpr size_t kHeadNumbers = 12;  // last, floor, entries, trimmed, then counts
constexpr size_t kCountNumbers = 2 + model::kPriorities;

Status Damaged(std::string_view what) {
  return Status(Code::kCorruption, "a log on Redis cannot be read: " + std::string(what));
}

bool IsNumber(const RespReply& reply) { return reply.type == Type::kInteger && reply.integer >= 0; }

bool IsArray(const RespReply& reply, size_t size) {
  return reply.type == Type::kArray && reply.elements.size() == size;
}

bool AreNumbers(const RespReply& reply, size_t size) {
  return IsArray(reply, size) && std::all_of(reply.elements.begin(), reply.elements.end(), IsNumber);
}

uint64_t NumberAt(const RespReply& reply, size_t at) { return static_cast<uint64_t>(reply.elements[at].integer); }

EntryId IdAt(const RespReply& reply, size_t at) { return {NumberAt(reply, at), NumberAt(reply, at + 1)}; }

Counts CountsAt(const RespReply& reply, size_t at) {
  Counts counts;
  counts.unread = static_cast<uint32_t>(NumberAt(reply, at));
  counts.unseen = static_cast<uint32_t>(NumberAt(reply, at + 1));
  for (size_t priority = 0; priority < model::kPriorities; ++priority) {
    counts.unread_by_priority[priority] = static_cast<uint32_t>(NumberAt(reply, at + 2 + priority));
  }
  return counts;
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
  if (!AreNumbers(reply, kHeadNumbers)) return Damaged("its head");
  LogHead head;
  head.last = IdAt(reply, 0);
  head.floor = IdAt(reply, 2);
  head.entries = NumberAt(reply, 4);
  head.trimmed = NumberAt(reply, 5);
  head.counts = CountsAt(reply, 6);
  head.stated = head.last;  // states lie with the entries
  return head;
}

Result<LogOpening> DecodeOpening(const RespReply& reply, std::string_view user) {
  if (!IsArray(reply, 4) || !AreNumbers(reply.elements[1], 2)) return Damaged("an opening");
  LogOpening opening;
  opening.epoch = KeyedEpoch(reply.elements[0].text, user);
  opening.lost = IdAt(reply.elements[1], 0);
  auto head = DecodeHeadReply(reply.elements[2]);
  if (!head.ok()) return head.status();
  opening.head = std::move(*head);
  opening.head.last = std::max(opening.head.last, opening.lost);
  if (AreNumbers(reply.elements[3], 2)) opening.device_cursor = IdAt(reply.elements[3], 0);
  return opening;
}

Result<LogPiece> DecodePiece(const RespReply& reply, EntryId after) {
  if (!IsArray(reply, 3) || !AreNumbers(reply.elements[1], 2)) return Damaged("a piece of it");
  LogPiece piece;
  piece.complete = reply.elements[0].integer != 0;
  piece.gap = after < IdAt(reply.elements[1], 0);
  auto lines = DecodeLines(reply.elements[2]);
  if (!lines.ok()) return lines.status();
  piece.lines = std::move(*lines);
  return piece;
}

Result<ListPage> DecodePage(const RespReply& reply) {
  if (!IsArray(reply, 2)) return Damaged("a page of it");
  ListPage page;
  if (AreNumbers(reply.elements[0], 2)) page.before = IdAt(reply.elements[0], 0);
  auto lines = DecodeLines(reply.elements[1]);
  if (!lines.ok()) return lines.status();
  page.lines = std::move(*lines);
  return page;
}

Result<MarkReply> DecodeMark(const RespReply& reply) {
  if (!IsArray(reply, 5) || !AreNumbers(reply.elements[1], kCountNumbers) || !AreNumbers(reply.elements[3], 2)) {
    return Damaged("a mark");
  }
  auto head = DecodeHeadReply(reply.elements[0]);
  if (!head.ok()) return head.status();
  MarkReply mark;
  mark.counts = CountsAt(reply.elements[1], 0);
  mark.update.floor = head->floor;
  mark.update.counts = head->counts;
  mark.update.last = head->last;
  mark.update.after = IdAt(reply.elements[3], 0);
  mark.watchers = Texts(reply.elements[4]);
  if (reply.elements[2].text.empty()) return mark;
  auto line = DecodeElement(reply.elements[2].text);
  if (!line.ok()) return line.status();
  mark.update.entries.push_back(std::move(line->entry));
  return mark;
}

Result<AppendReply> DecodeAppend(const RespReply& reply, size_t items) {
  if (!IsArray(reply, 4) || !AreNumbers(reply.elements[0], 2)) return Damaged("an append");
  auto head = DecodeHeadReply(reply.elements[1]);
  if (!head.ok()) return head.status();
  const std::string_view ids = reply.elements[2].text;
  if (ids.size() != items * kShortIdBytes) return Damaged("the ids of an append");
  AppendReply appended;
  appended.update.floor = head->floor;
  appended.update.counts = head->counts;
  appended.update.last = head->last;
  appended.update.after = IdAt(reply.elements[0], 0);
  for (size_t at = 0; at < items; ++at) appended.ids.push_back(DecodeShortId(ids.substr(at * kShortIdBytes)));
  appended.watchers = Texts(reply.elements[3]);
  return appended;
}

}  // namespace tocsin::logs
