#include "logs/keys.h"

namespace tocsin::logs {
namespace {

using base::Code;
using base::Status;
using model::ByteReader;
using model::EntryId;

// Before 2, nothing was counted by category.
constexpr uint8_t kHeadVersion = 2;

bool ReadId(ByteReader& in, EntryId& id) { return in.Big64(id.ms) && in.Big64(id.seq); }

Status Damaged(std::string_view what) { return Status(Code::kCorruption, std::string(what) + " cannot be decoded"); }

}  // namespace

std::string UserPrefix(std::string_view user) {
  std::string key;
  key.reserve(user.size() + 2 + 1 + EntryId::kEncodedSize);
  model::PutBig16(key, static_cast<uint16_t>(user.size()));
  key += user;
  return key;
}

std::string EntryKey(std::string_view user, EntryId id) {
  std::string key = UserPrefix(user);
  id.EncodeTo(key);
  return key;
}

std::string TagPrefix(std::string_view user, char tag) {
  std::string key = UserPrefix(user);
  key.push_back(tag);
  return key;
}

std::string HeadKey(std::string_view user) { return TagPrefix(user, kHeadTag); }
std::string DeviceKey(std::string_view user, std::string_view device) {
  return TagPrefix(user, kDeviceTag).append(device);
}
std::string MarkKey(std::string_view user, std::string_view mid) { return TagPrefix(user, kMarkTag).append(mid); }

std::string FollowKey(std::string_view user, std::string_view topic) {
  return TagPrefix(user, kFollowTag).append(topic);
}
std::string CursorKey(std::string_view user, std::string_view device, std::string_view topic) {
  std::string key = TagPrefix(user, kCursorTag).append(device);
  key.push_back('\0');
  return key.append(topic);
}

std::string CollapseKey(std::string_view user, std::string_view key) {
  return TagPrefix(user, kCollapseTag).append(key);
}

std::string TopicStatePrefix(std::string_view user, std::string_view topic) {
  std::string key = TagPrefix(user, kTopicStateTag).append(topic);
  key.push_back('\0');
  return key;
}

std::string StateKey(std::string_view user, EntryId id) {
  std::string key = TagPrefix(user, kStateTag);
  id.EncodeTo(key);
  return key;
}

std::string PreferencesKey(std::string_view user) { return TagPrefix(user, kPreferencesTag); }

std::string EncodeHead(const LogHead& head) {
  std::string out;
  out.push_back(static_cast<char>(kHeadVersion));
  head.last.EncodeTo(out);
  head.floor.EncodeTo(out);
  model::PutVarint(out, head.entries);
  model::PutVarint(out, head.trimmed);
  head.stated.EncodeTo(out);
  EncodeCounts(head.counts, out);
  EncodeCategories(head.counts, out);
  model::PutVarint(out, head.sources.size());
  for (const SourceMark& source : head.sources) {
    model::PutString(out, source.stream);
    out.push_back(static_cast<char>(source.priority));
    source.id.EncodeTo(out);
  }
  if (head.preferred == Preferred::kYes) out.push_back('\x01');
  return out;
}

base::Result<LogHead> DecodeHead(std::string_view user, std::string_view value) {
  LogHead head;
  ByteReader in(value);
  uint8_t version = 0;
  uint64_t sources = 0;
  bool good = in.Byte(version) && version >= 1 && version <= kHeadVersion && ReadId(in, head.last) &&
              ReadId(in, head.floor) && in.Varint(head.entries) && in.Varint(head.trimmed) && ReadId(in, head.stated) &&
              DecodeCounts(in, head.counts) && (version == 1 || DecodeCategories(in, head.counts)) &&
              in.Varint(sources) && sources <= in.rest().size();
  for (uint64_t i = 0; good && i < sources; ++i) {
    SourceMark source;
    std::string_view stream;
    uint8_t priority = 0;
    good = in.String(stream) && in.Byte(priority) && priority < model::kPriorities && ReadId(in, source.id);
    source.stream = stream;
    source.priority = static_cast<model::Priority>(priority);
    head.sources.push_back(std::move(source));
  }
  uint8_t preferred = 0;
  if (good && !in.done()) good = in.Byte(preferred) && preferred == 1;
  head.preferred = preferred == 1 ? Preferred::kYes : Preferred::kNo;
  if (!good || !in.done()) {
    return Status(Code::kCorruption, "the log head of user `" + std::string(user) + "` cannot be decoded");
  }
  return head;
}

std::string EncodeDevice(const DeviceRecord& device) {
  std::string out;
  device.cursor.EncodeTo(out);
  model::PutVarint(out, static_cast<uint64_t>(device.heard_ms));
  return out;
}

base::Result<DeviceRecord> DecodeDevice(std::string_view value) {
  DeviceRecord device;
  ByteReader in(value);
  uint64_t heard = 0;
  if (!ReadId(in, device.cursor) || !in.Varint(heard) || !in.done()) return Damaged("a device's cursor");
  device.heard_ms = static_cast<int64_t>(heard);
  return device;
}

std::string EncodeFollow(const TopicFollow& follow) {
  std::string out(1, static_cast<char>(follow.by));
  follow.from.EncodeTo(out);
  return out;
}

base::Result<TopicFollow> DecodeFollow(std::string_view topic, std::string_view value) {
  TopicFollow follow{.topic = std::string(topic), .from = {}};
  ByteReader in(value);
  uint8_t by = 0;
  if (!in.Byte(by) || by > static_cast<uint8_t>(TopicFollow::By::kUser) || !ReadId(in, follow.from) || !in.done()) {
    return Damaged("a topic that is followed");
  }
  follow.by = static_cast<TopicFollow::By>(by);
  return follow;
}

base::Result<EntryId> DecodeCursor(std::string_view value) {
  ByteReader in(value);
  EntryId cursor;
  if (!ReadId(in, cursor) || !in.done()) return Damaged("a device's cursor in a topic");
  return cursor;
}

std::string EncodeMarkTime(int64_t at_ms) {
  std::string out;
  model::PutVarint(out, static_cast<uint64_t>(at_ms));
  return out;
}

base::Result<int64_t> DecodeMarkTime(std::string_view value) {
  ByteReader in(value);
  uint64_t at = 0;
  if (!in.Varint(at) || !in.done()) return Damaged("a remembered mark");
  return static_cast<int64_t>(at);
}

std::string EncodeState(ItemState state) { return std::string(1, static_cast<char>(state)); }

base::Result<ItemState> DecodeState(std::string_view value) {
  ByteReader in(value);
  uint8_t state = 0;
  if (!in.Byte(state) || state > static_cast<uint8_t>(ItemState::kArchived) || !in.done()) {
    return Damaged("the state of an item");
  }
  return static_cast<ItemState>(state);
}

base::Result<EntryId> KeyId(std::string_view key, size_t prefix) {
  if (key.size() != prefix + EntryId::kEncodedSize) return Damaged("the key of a log entry");
  return EntryId::Decode(key.substr(prefix));
}

base::Result<LogEntry> DecodeStoredEntry(std::string_view key, size_t prefix, std::string_view value) {
  auto id = KeyId(key, prefix);
  if (!id.ok()) return id.status();
  return DecodeLogEntry(*id, value);
}

}  // namespace tocsin::logs
