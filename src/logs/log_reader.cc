#include "logs/log_reader.h"

#include <array>

#define XXH_INLINE_ALL
#include <xxhash.h>

#include "model/bytes.h"

namespace tocsin::logs {
namespace {

using base::Result;
using base::Status;
using model::EntryId;
using storage::Family;
using storage::Iterator;
using storage::Tier;

constexpr size_t kMaxListScan = 4'096;

EntryId IdOf(std::string_view key, size_t prefix) { return EntryId::Decode(key.substr(prefix)); }

// States of a user's items beside a walk over the items themselves.
class StateCursor {
 public:
  StateCursor(const storage::Store& store, std::string_view user, Tier tier) : prefix_(TagPrefix(user, kStateTag)) {
    states_ = store.Iterate(Family::kHeads, prefix_, model::PrefixSuccessor(prefix_), tier);
  }
  // For ids in ascending order.
  ItemState Ascending(EntryId id) {
    if (!placed_) Place(id);
    while (states_->Valid() && IdOf(states_->key(), prefix_.size()) < id) states_->Next();
    return At(id);
  }
  // For ids in descending order.
  ItemState Descending(EntryId id) {
    if (!placed_) {
      std::string key = prefix_;
      id.EncodeTo(key);
      states_->SeekForPrev(key);
      placed_ = true;
    }
    while (states_->Valid() && IdOf(states_->key(), prefix_.size()) > id) states_->Prev();
    return At(id);
  }
  Status status() const { return states_->status(); }

 private:
  void Place(EntryId id) {
    std::string key = prefix_;
    id.EncodeTo(key);
    states_->Seek(key);
    placed_ = true;
  }
  ItemState At(EntryId id) const {
    if (!states_->Valid() || IdOf(states_->key(), prefix_.size()) != id || states_->value().empty()) {
      return ItemState::kUnread;
    }
    return static_cast<ItemState>(std::min<uint8_t>(static_cast<uint8_t>(states_->value()[0]), 3));
  }

  std::string prefix_;
  std::unique_ptr<Iterator> states_;
  bool placed_ = false;
};

bool Passes(ListFilter filter, ItemState state) {
  switch (filter) {
    case ListFilter::kInbox:
      return state != ItemState::kArchived;
    case ListFilter::kUnread:
      return state < ItemState::kRead;
    case ListFilter::kArchived:
      return state == ItemState::kArchived;
    case ListFilter::kAll:
      return true;
  }
  return true;
}

}  // namespace

std::optional<ListFilter> ParseListFilter(std::string_view name) {
  if (name == "inbox") return ListFilter::kInbox;
  if (name == "unread") return ListFilter::kUnread;
  if (name == "archived") return ListFilter::kArchived;
  if (name == "all") return ListFilter::kAll;
  return std::nullopt;
}

Result<LogOpening> LogReader::Open(std::string_view user, std::string_view device, Tier tier) const {
  LogOpening opening;
  auto head = store_.Get(Family::kHeads, HeadKey(user), tier);
  if (!head.ok()) return head.status();
  if (head->has_value()) {
    auto decoded = DecodeHead(user, **head);
    if (!decoded.ok()) return decoded.status();
    opening.head = std::move(*decoded);
  }
  if (device.empty()) return opening;
  auto record = store_.Get(Family::kHeads, DeviceKey(user, device), tier);
  if (!record.ok()) return record.status();
  if (record->has_value()) {
    auto decoded = DecodeDevice(**record);
    if (!decoded.ok()) return decoded.status();
    opening.device_cursor = decoded->cursor;
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
  StateCursor states(store_, user, tier);
  size_t bytes = 0;
  for (entries->SeekToFirst(); entries->Valid() && lines.size() < max_entries && bytes < max_bytes; entries->Next()) {
    auto entry = DecodeLogEntry(IdOf(entries->key(), prefix.size()), entries->value());
    if (!entry.ok()) return entry.status();
    bytes += entries->value().size();
    LogLine line;
    if (entry->is_item()) line.state = states.Ascending(entry->id);
    line.entry = std::make_shared<const LogEntry>(std::move(*entry));
    lines.push_back(std::move(line));
  }
  RETURN_IF_ERROR(entries->status());
  RETURN_IF_ERROR(states.status());
  piece.complete = !entries->Valid();
  return piece;
}

Result<ListPage> LogReader::List(std::string_view user, EntryId before, size_t limit, ListFilter filter,
                                 Tier tier) const {
  ListPage page;
  const std::string prefix = UserPrefix(user);
  auto entries = store_.Iterate(Family::kLogs, prefix, EntryKey(user, before), tier);
  StateCursor states(store_, user, tier);
  size_t scanned = 0;
  EntryId last = before;
  for (entries->SeekToLast(); entries->Valid(); entries->Prev()) {
    if (page.lines.size() == limit || scanned++ == kMaxListScan) {
      page.before = last;
      break;
    }
    auto entry = DecodeLogEntry(IdOf(entries->key(), prefix.size()), entries->value());
    if (!entry.ok()) return entry.status();
    last = entry->id;
    if (!entry->is_item()) continue;
    LogLine line;
    line.state = states.Descending(entry->id);
    if (!Passes(filter, line.state)) continue;
    line.entry = std::make_shared<const LogEntry>(std::move(*entry));
    page.lines.push_back(std::move(line));
  }
  RETURN_IF_ERROR(entries->status());
  RETURN_IF_ERROR(states.status());
  return page;
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
