#include "logs/log_reader.h"

#include <algorithm>

#define XXH_INLINE_ALL
#include <xxhash.h>

#include "logs/state_cursor.h"
#include "model/bytes.h"

namespace tocsin::logs {
namespace {

using base::Result;
using base::Status;
using model::EntryId;
using storage::Family;
using storage::Tier;

Result<LogHead> ReadHead(const storage::Store& store, std::string_view user, Tier tier) {
  auto stored = store.Get(Family::kHeads, HeadKey(user), tier);
  if (!stored.ok()) return stored.status();
  return stored->has_value() ? DecodeHead(user, **stored) : LogHead{};
}

bool Passes(ListFilter filter, ItemState state, model::Priority priority) {
  switch (filter) {
    case ListFilter::kInbox:
      return state != ItemState::kArchived;
    case ListFilter::kUnread:
      return state < ItemState::kRead;
    case ListFilter::kArchived:
      return state == ItemState::kArchived;
    case ListFilter::kAll:
      return true;
    case ListFilter::kUrgent:
      return state < ItemState::kRead && model::IsUrgent(priority);
  }
  return true;
}

}  // namespace

bool AnyExpired(std::span<const LogLine> lines, int64_t now_ms) {
  return std::any_of(lines.begin(), lines.end(), [=](const LogLine& line) { return line.entry->Expired(now_ms); });
}

void DropExpired(std::vector<LogLine>& lines, int64_t now_ms) {
  std::erase_if(lines, [=](const LogLine& line) { return line.entry->Expired(now_ms); });
}

std::optional<ListFilter> ParseListFilter(std::string_view name) {
  if (name == "inbox") return ListFilter::kInbox;
  if (name == "unread") return ListFilter::kUnread;
  if (name == "archived") return ListFilter::kArchived;
  if (name == "all") return ListFilter::kAll;
  return std::nullopt;
}

Result<LogOpening> LogReader::Open(std::string_view user, std::string_view device, Tier tier) const {
  LogOpening opening;
  opening.epoch = Epoch(user);
  auto head = ReadHead(store_, user, tier);
  if (!head.ok()) return head.status();
  opening.head = std::move(*head);
  if (device.empty()) return opening;
  auto record = store_.Get(Family::kHeads, DeviceKey(user, device), tier);
  if (!record.ok()) return record.status();
  if (record->has_value()) {
    auto decoded = DecodeDevice(**record);
    if (!decoded.ok()) return decoded.status();
    if (!decoded->cursor.IsZero()) opening.device_cursor = decoded->cursor;  // else it has acknowledged in topics only
  }
  return opening;
}

Result<LogPiece> LogReader::Read(std::string_view user, EntryId after, size_t max_entries, size_t max_bytes,
                                 Tier tier) const {
  LogPiece piece;
  std::vector<LogLine>& lines = piece.lines;
  auto first = after.Next();
  if (!first) return piece;
  const std::string prefix = UserPrefix(user);
  auto entries = store_.Iterate(Family::kLogs, EntryKey(user, *first), model::PrefixSuccessor(prefix), tier);
  size_t bytes = 0;
  for (entries->SeekToFirst(); entries->Valid() && lines.size() < max_entries && bytes < max_bytes; entries->Next()) {
    auto entry = DecodeStoredEntry(entries->key(), prefix.size(), entries->value());
    if (!entry.ok()) return entry.status();
    bytes += entries->value().size();
    lines.push_back({std::make_shared<const LogEntry>(std::move(*entry)), ItemState::kUnread});
  }
  RETURN_IF_ERROR(entries->status());
  piece.complete = !entries->Valid();
  // After the entries: what a trim takes between the two reads counts as missing, though it is here.
  auto head = ReadHead(store_, user, tier);
  if (!head.ok()) return head.status();
  piece.gap = after < head->floor;
  if (lines.empty() || lines.front().entry->id > head->stated) return piece;
  StateCursor states(store_, user, tier);
  for (LogLine& line : lines) {
    if (line.entry->is_item()) line.state = states.Ascending(line.entry->id);
  }
  RETURN_IF_ERROR(states.status());
  return piece;
}

Result<ListPage> LogReader::List(std::string_view user, EntryId before, size_t limit, ListFilter filter,
                                 Tier tier) const {
  ListPage page;
  const std::string prefix = UserPrefix(user);
  auto entries = store_.Iterate(Family::kLogs, prefix, EntryKey(user, before), tier);
  StateCursor states(store_, user, tier);
  size_t scanned = 0, bytes = 0;
  EntryId last = before;
  for (entries->SeekToLast(); entries->Valid(); entries->Prev()) {
    if (page.lines.size() == limit || bytes >= kMaxPageBytes || scanned++ == kMaxListScan) {
      page.before = last;
      break;
    }
    auto entry = DecodeStoredEntry(entries->key(), prefix.size(), entries->value());
    if (!entry.ok()) return entry.status();
    last = entry->id;
    if (!entry->is_item()) continue;
    LogLine line;
    line.state = states.Descending(entry->id);
    if (!Passes(filter, line.state, entry->priority)) continue;
    bytes += entries->value().size();
    line.entry = std::make_shared<const LogEntry>(std::move(*entry));
    page.lines.push_back(std::move(line));
  }
  RETURN_IF_ERROR(entries->status());
  RETURN_IF_ERROR(states.status());
  return page;
}

Result<TopicRecords> LogReader::Topics(std::string_view user, std::string_view device, Tier tier) const {
  TopicRecords records;
  const std::string follows_prefix = FollowKey(user, {});
  auto follows = store_.Iterate(Family::kHeads, follows_prefix, model::PrefixSuccessor(follows_prefix), tier);
  for (follows->SeekToFirst(); follows->Valid(); follows->Next()) {
    auto follow = DecodeFollow(follows->key().substr(follows_prefix.size()), follows->value());
    if (!follow.ok()) return follow.status();
    records.follows.push_back(std::move(*follow));
  }
  RETURN_IF_ERROR(follows->status());
  if (device.empty()) return records;
  const std::string cursors_prefix = CursorKey(user, device, {});
  auto cursors = store_.Iterate(Family::kHeads, cursors_prefix, model::PrefixSuccessor(cursors_prefix), tier);
  for (cursors->SeekToFirst(); cursors->Valid(); cursors->Next()) {
    auto cursor = DecodeCursor(cursors->value());
    if (!cursor.ok()) return cursor.status();
    records.cursors.emplace(cursors->key().substr(cursors_prefix.size()), *cursor);
  }
  RETURN_IF_ERROR(cursors->status());
  return records;
}

Result<TopicStates> LogReader::StatesInTopic(std::string_view user, std::string_view topic, Tier tier) const {
  constexpr int kTries = 8;  // a turn that commits between two reads is rare
  const std::string prefix = TopicStatePrefix(user, topic);
  for (int tries = 0; tries < kTries; ++tries) {
    TopicStates found;
    auto before = ReadHead(store_, user, tier);
    if (!before.ok()) return before.status();
    auto rows = store_.Iterate(Family::kHeads, prefix, model::PrefixSuccessor(prefix), tier);
    for (rows->SeekToFirst(); rows->Valid(); rows->Next()) {
      auto id = KeyId(rows->key(), prefix.size());
      if (!id.ok()) return id.status();
      if (!rows->value().empty()) found.states.emplace(*id, static_cast<TopicItemState>(rows->value()[0]));
    }
    RETURN_IF_ERROR(rows->status());
    auto after = ReadHead(store_, user, tier);
    if (!after.ok()) return after.status();
    found.as_of = after->last;
    if (before->last == after->last) return found;
  }
  return Status(base::Code::kUnavailable, "the log changes faster than it can be read");
}

Result<LogTrace> LogReader::Trace(std::string_view user, std::string_view nid, Tier tier) const {
  LogTrace trace;
  const std::string prefix = UserPrefix(user);
  auto entries = store_.Iterate(Family::kLogs, prefix, model::PrefixSuccessor(prefix), tier);
  for (entries->SeekToLast(); entries->Valid() && !trace.id; entries->Prev()) {
    auto entry = DecodeStoredEntry(entries->key(), prefix.size(), entries->value());
    if (!entry.ok()) return entry.status();
    if (entry->is_item() && entry->nid == nid) trace.id = entry->id;
  }
  RETURN_IF_ERROR(entries->status());
  if (trace.id) {
    StateCursor states(store_, user, tier);
    trace.state = states.Ascending(*trace.id);
    RETURN_IF_ERROR(states.status());
  }
  const std::string devices_prefix = DeviceKey(user, {});
  auto devices = store_.Iterate(Family::kHeads, devices_prefix, model::PrefixSuccessor(devices_prefix), tier);
  for (devices->SeekToFirst(); devices->Valid(); devices->Next()) {
    auto record = DecodeDevice(devices->value());
    if (!record.ok()) return record.status();
    const std::string_view name = devices->key().substr(devices_prefix.size());
    trace.devices.push_back({std::string(name), record->cursor, record->heard_ms});
  }
  RETURN_IF_ERROR(devices->status());
  return trace;
}

Result<state::Preferences> LogReader::ReadPreferences(std::string_view user, Tier tier) const {
  auto stored = store_.Get(Family::kHeads, PreferencesKey(user), tier);
  if (!stored.ok()) return stored.status();
  return state::DecodePreferences(stored->value_or(""));
}

std::string LogReader::Epoch(std::string_view user) const {
  const std::string& store = store_.epoch();
  std::string keyed = store;
  keyed += user;
  XXH128_hash_t hash = XXH3_128bits_withSeed(keyed.data(), keyed.size(), store.size());
  std::string bytes;
  model::PutBig64(bytes, hash.high64);
  static const char kDigits[] = "0123456789abcdef";
  std::string text;
  for (char byte : bytes) {
    text.push_back(kDigits[static_cast<unsigned char>(byte) >> 4]);
    text.push_back(kDigits[static_cast<unsigned char>(byte) & 15]);
  }
  return text;
}

}  // namespace tocsin::logs
