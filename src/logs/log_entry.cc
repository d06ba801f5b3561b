#include "logs/log_entry.h"

#include <algorithm>

#include "model/limits.h"

namespace tocsin::logs {
namespace {

using base::Code;
using base::Status;
using model::ByteReader;
using model::EntryId;

constexpr uint8_t kItemTag = 1, kChangeTag = 2, kTraitsTag = 3;
constexpr uint8_t kExpires = 'e', kCategory = 'c', kCollapseKey = 'k', kReplaces = 'r';
constexpr std::array<std::string_view, 4> kStateNames = {"unread", "seen", "read", "archived"};

Status Damaged(EntryId id) { return Status(Code::kCorruption, "log entry " + id.ToString() + " cannot be decoded"); }

bool DecodeTraits(ByteReader& in, ItemTraits& traits) {
  std::string_view all;
  if (!in.String(all)) return false;
  for (ByteReader reader(all); !reader.done();) {
    uint8_t trait = 0;
    std::string_view value;
    if (!reader.Byte(trait) || !reader.String(value)) return false;
    if (trait == kCategory) traits.category = value;
    if (trait == kCollapseKey) traits.collapse_key = value;
    if (trait == kReplaces) traits.replaces.emplace_back(value);
    if (trait != kExpires) continue;
    if (value.size() != sizeof(uint64_t)) return false;
    traits.expires_ms = static_cast<int64_t>(model::GetBig64(value.data()));
  }
  return true;
}

void EncodeTraits(const ItemTraits& traits, std::string& out) {
  std::string all;
  const auto add = [&all](uint8_t trait, std::string_view value) {
    all.push_back(static_cast<char>(trait));
    model::PutString(all, value);
  };
  if (traits.expires_ms != 0) {
    std::string expires;
    model::PutBig64(expires, static_cast<uint64_t>(traits.expires_ms));
    add(kExpires, expires);
  }
  if (!traits.category.empty()) add(kCategory, traits.category);
  if (!traits.collapse_key.empty()) add(kCollapseKey, traits.collapse_key);
  for (const std::string& nid : traits.replaces) add(kReplaces, nid);
  model::PutString(out, all);
}

bool DecodeItem(ByteReader& in, uint8_t tag, LogEntry& entry) {
  uint8_t priority = 0;
  std::string_view nid;
  if (!in.Byte(priority) || priority >= model::kPriorities || !in.String(nid)) return false;
  entry.priority = static_cast<model::Priority>(priority);
  entry.nid = nid;
  if (tag == kTraitsTag && !DecodeTraits(in, entry.traits)) return false;
  entry.json = in.rest();
  return true;
}

// Zigzag: small numbers of either sign are short.
void PutDelta(std::string& out, int32_t by) {
  model::PutVarint(out, static_cast<uint32_t>(by) << 1 ^ static_cast<uint32_t>(by >> 31));
}

bool GetDelta(ByteReader& in, int32_t& by) {
  uint64_t wide = 0;
  if (!in.Varint(wide) || wide > UINT32_MAX) return false;
  by = static_cast<int32_t>(static_cast<uint32_t>(wide >> 1) ^ (~static_cast<uint32_t>(wide & 1) + 1));
  return true;
}

bool DecodeTopic(ByteReader& in, StateChange& change) {
  std::string_view topic;
  CountsDelta& delta = change.topic_delta;
  if (!in.String(topic) || topic.empty() || !GetDelta(in, delta.unread) || !GetDelta(in, delta.unseen)) return false;
  change.topic = topic;
  for (int32_t& by : delta.unread_by_priority) {
    if (!GetDelta(in, by)) return false;
  }
  uint64_t categories = 0;
  if (!in.Varint(categories) || categories > in.rest().size()) return false;
  for (uint64_t i = 0; i < categories; ++i) {
    std::string_view category;
    int32_t by = 0;
    if (!in.String(category) || !GetDelta(in, by)) return false;
    delta.unread_by_category.emplace(category, by);
  }
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
  if (!DecodeCounts(in, change.counts)) return false;
  // An entry from before categories were counted ends here.
  if (in.done()) return true;
  if (!DecodeCategories(in, change.counts)) return false;
  return in.done() || (DecodeTopic(in, change) && in.done());
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
    case MarkOp::kExpire:
    case MarkOp::kUpdate:
      return state;
  }
  return state;
}

namespace {

// Where a category is counted, or would be.
auto PlaceOf(Counts& counts, std::string_view category) {
  return std::lower_bound(counts.unread_by_category.begin(), counts.unread_by_category.end(), category,
                          [](const auto& counted, std::string_view wanted) { return counted.first < wanted; });
}

bool IsCounted(const Counts& counts, std::vector<std::pair<std::string, uint32_t>>::const_iterator at,
               std::string_view category) {
  return at != counts.unread_by_category.end() && at->first == category;
}

}  // namespace

void Counts::Add(model::Priority priority, ItemState state, std::string_view category) {
  if (state == ItemState::kUnread) ++unseen;
  if (state >= ItemState::kRead) return;
  ++unread;
  ++unread_by_priority[static_cast<size_t>(priority)];
  if (category.empty()) return;
  auto at = PlaceOf(*this, category);
  if (!IsCounted(*this, at, category) && unread_by_category.size() >= model::kMaxCountedCategories) {
    at = PlaceOf(*this, category = kOtherCategories);
  }
  if (!IsCounted(*this, at, category)) at = unread_by_category.emplace(at, category, 0);
  ++at->second;
}

void Counts::Remove(model::Priority priority, ItemState state, std::string_view category) {
  if (state == ItemState::kUnread) --unseen;
  if (state >= ItemState::kRead) return;
  --unread;
  --unread_by_priority[static_cast<size_t>(priority)];
  if (category.empty()) return;
  auto at = PlaceOf(*this, category);
  if (!IsCounted(*this, at, category)) at = PlaceOf(*this, category = kOtherCategories);
  if (!IsCounted(*this, at, category)) return;  // of a log from before categories were counted
  if (--at->second == 0) unread_by_category.erase(at);
}

void CountsDelta::Add(model::Priority priority, ItemState state, std::string_view category, int32_t by) {
  if (state == ItemState::kUnread) unseen += by;
  if (state >= ItemState::kRead) return;
  unread += by;
  unread_by_priority[static_cast<size_t>(priority)] += by;
  if (!category.empty()) unread_by_category[std::string(category)] += by;
}

namespace {

void AddTo(uint32_t& count, int64_t by) {
  count = static_cast<uint32_t>(std::clamp<int64_t>(int64_t{count} + by, 0, UINT32_MAX));
}

void AddToCategory(Counts& counts, std::string_view category, int64_t by) {
  auto at = PlaceOf(counts, category);
  if (!IsCounted(counts, at, category)) at = counts.unread_by_category.emplace(at, category, 0);
  AddTo(at->second, by);
  if (at->second == 0) counts.unread_by_category.erase(at);
}

}  // namespace

void CountsDelta::ApplyTo(Counts& counts) const {
  AddTo(counts.unread, unread);
  AddTo(counts.unseen, unseen);
  for (size_t i = 0; i < model::kPriorities; ++i) AddTo(counts.unread_by_priority[i], unread_by_priority[i]);
  for (const auto& [category, by] : unread_by_category) AddToCategory(counts, category, by);
}

Counts Sum(Counts counts, const Counts& more) {
  AddTo(counts.unread, more.unread);
  AddTo(counts.unseen, more.unseen);
  for (size_t i = 0; i < model::kPriorities; ++i) AddTo(counts.unread_by_priority[i], more.unread_by_priority[i]);
  for (const auto& [category, unread] : more.unread_by_category) AddToCategory(counts, category, unread);
  return counts;
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

void EncodeCategories(const Counts& counts, std::string& out) {
  model::PutVarint(out, counts.unread_by_category.size());
  for (const auto& [category, count] : counts.unread_by_category) {
    model::PutString(out, category);
    model::PutVarint(out, count);
  }
}

bool DecodeCategories(ByteReader& in, Counts& counts) {
  uint64_t categories = 0;
  if (!in.Varint(categories) || categories > in.rest().size()) return false;
  for (uint64_t i = 0; i < categories; ++i) {
    std::string_view category;
    uint64_t count = 0;
    if (!in.String(category) || !in.Varint(count) || count > UINT32_MAX) return false;
    counts.unread_by_category.emplace_back(category, static_cast<uint32_t>(count));
  }
  return true;
}

size_t LogEntry::bytes() const {
  size_t sum = sizeof(LogEntry) + nid.size() + json.size() + traits.category.size() + traits.collapse_key.size();
  if (change) {
    for (const std::string& changed : change->nids) sum += sizeof(std::string) + changed.size();
  }
  return sum;
}

std::string EncodeLogEntry(const LogEntry& entry) {
  std::string out;
  if (entry.is_item()) {
    out.reserve(entry.json.size() + entry.nid.size() + 4);
    out.push_back(static_cast<char>(entry.traits.none() ? kItemTag : kTraitsTag));
    out.push_back(static_cast<char>(entry.priority));
    model::PutString(out, entry.nid);
    if (!entry.traits.none()) EncodeTraits(entry.traits, out);
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
  EncodeCategories(change.counts, out);
  if (change.topic.empty()) return out;
  model::PutString(out, change.topic);
  PutDelta(out, change.topic_delta.unread);
  PutDelta(out, change.topic_delta.unseen);
  for (int32_t by : change.topic_delta.unread_by_priority) PutDelta(out, by);
  model::PutVarint(out, change.topic_delta.unread_by_category.size());
  for (const auto& [category, by] : change.topic_delta.unread_by_category) {
    model::PutString(out, category);
    PutDelta(out, by);
  }
  return out;
}

base::Result<LogEntry> DecodeLogEntry(EntryId id, std::string_view value) {
  LogEntry entry;
  entry.id = id;
  ByteReader in(value);
  uint8_t tag = 0;
  if (!in.Byte(tag)) return Damaged(id);
  if ((tag == kItemTag || tag == kTraitsTag) && DecodeItem(in, tag, entry)) return entry;
  if (tag == kChangeTag && DecodeChange(in, entry)) return entry;
  return Damaged(id);
}

}  // namespace tocsin::logs
