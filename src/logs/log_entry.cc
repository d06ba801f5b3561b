#include "logs/log_entry.h"

#include <algorithm>

namespace tocsin::logs {
namespace {

using base::Code;
using base::Status;
using model::ByteReader;
using model::EntryId;

constexpr uint8_t kItemTag = 1, kChangeTag = 2;
constexpr std::array<std::string_view, 4> kStateNames = {"unread", "seen", "read", "archived"};

Status Damaged(EntryId id) { return Status(Code::kCorruption, "log entry " + id.ToString() + " cannot be decoded"); }

bool DecodeItem(ByteReader& in, LogEntry& entry) {
  uint8_t priority = 0;
  std::string_view nid;
  if (!in.Byte(priority) || priority >= model::kPriorities || !in.String(nid)) return false;
  entry.priority = static_cast<model::Priority>(priority);
  entry.nid = nid;
  entry.json = in.rest();
  return true;
}

bool DecodeChange(ByteReader& in, LogEntry& entry) {
  StateChange& change = entry.change.emplace();
  uint8_t op = 0, has_upto = 0;
  std::string_view by;
  uint64_t nids = 0;
  if (!in.Byte(op) || op >= model::kMarkOps || !in.String(by) || !in.Byte(has_upto)) return false;
  change.op = static_cast<MarkOp>(op);
  change.by = by;
  if (has_upto != 0) {
    EntryId upto;
    if (!in.Big64(upto.ms) || !in.Big64(upto.seq)) return false;
    change.upto = upto;
  }
  if (!in.Varint(nids) || nids > in.rest().size()) return false;
  for (uint64_t i = 0; i < nids; ++i) {
    std::string_view nid;
    if (!in.String(nid)) return false;
    change.nids.emplace_back(nid);
  }
  return DecodeCounts(in, change.counts) && in.done();
}

}  // namespace

std::string_view ItemStateName(ItemState state) { return kStateNames[static_cast<size_t>(state)]; }

ItemState Apply(MarkOp op, ItemState state) {
  switch (op) {
    case MarkOp::kSeen:
      return std::max(state, ItemState::kSeen);
    case MarkOp::kRead:
      return std::max(state, ItemState::kRead);
    case MarkOp::kArchive:
      return ItemState::kArchived;
    case MarkOp::kUnread:
      return std::min(state, ItemState::kSeen);
    case MarkOp::kDelete:
      return state;
  }
  return state;
}

void Counts::Add(model::Priority priority, ItemState state) {
  if (state == ItemState::kUnread) ++unseen;
  if (state < ItemState::kRead) {
    ++unread;
    ++unread_by_priority[static_cast<size_t>(priority)];
  }
}

void Counts::Remove(model::Priority priority, ItemState state) {
  if (state == ItemState::kUnread) --unseen;
  if (state < ItemState::kRead) {
    --unread;
    --unread_by_priority[static_cast<size_t>(priority)];
  }
}

void EncodeCounts(const Counts& counts, std::string& out) {
  model::PutVarint(out, counts.unread);
  model::PutVarint(out, counts.unseen);
  for (uint32_t count : counts.unread_by_priority) model::PutVarint(out, count);
}

bool DecodeCounts(ByteReader& in, Counts& counts) {
  auto number = [&in](uint32_t& value) {
    uint64_t wide = 0;
    if (!in.Varint(wide) || wide > UINT32_MAX) return false;
    value = static_cast<uint32_t>(wide);
    return true;
  };
  return number(counts.unread) && number(counts.unseen) &&
         std::all_of(counts.unread_by_priority.begin(), counts.unread_by_priority.end(), number);
}

size_t LogEntry::bytes() const {
  size_t sum = sizeof(LogEntry) + nid.size() + json.size();
  if (change) {
    for (const std::string& changed : change->nids) sum += sizeof(std::string) + changed.size();
  }
  return sum;
}

std::string EncodeLogEntry(const LogEntry& entry) {
  std::string out;
  if (entry.is_item()) {
    out.reserve(entry.json.size() + entry.nid.size() + 4);
    out.push_back(static_cast<char>(kItemTag));
    out.push_back(static_cast<char>(entry.priority));
    model::PutString(out, entry.nid);
    out += entry.json;
    return out;
  }
  const StateChange& change = *entry.change;
  out.push_back(static_cast<char>(kChangeTag));
  out.push_back(static_cast<char>(change.op));
  model::PutString(out, change.by);
  out.push_back(change.upto ? 1 : 0);
  if (change.upto) change.upto->EncodeTo(out);
  model::PutVarint(out, change.nids.size());
  for (const std::string& nid : change.nids) model::PutString(out, nid);
  EncodeCounts(change.counts, out);
  return out;
}

base::Result<LogEntry> DecodeLogEntry(EntryId id, std::string_view value) {
  LogEntry entry;
  entry.id = id;
  ByteReader in(value);
  uint8_t tag = 0;
  if (!in.Byte(tag)) return Damaged(id);
  if (tag == kItemTag && DecodeItem(in, entry)) return entry;
  if (tag == kChangeTag && DecodeChange(in, entry)) return entry;
  return Damaged(id);
}

}  // namespace tocsin::logs
