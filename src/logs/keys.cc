#include "logs/keys.h"

namespace tocsin::logs {
namespace {

using base::Code;
using base::Status;
using model::ByteReader;
using model::EntryId;

constexpr uint8_t kHeadVersion = 1;

bool ReadId(ByteReader& in, EntryId& id) { return in.Big64(id.ms) && in.Big64(id.seq); }

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

std::string StateKey(std::string_view user, EntryId id) {
  std::string key = TagPrefix(user, kStateTag);
  id.EncodeTo(key);
  return key;
}

std::string EncodeHead(const LogHead& head) {
  std::string out;
  out.push_back(static_cast<char>(kHeadVersion));
  head.last.EncodeTo(out);
  head.floor.EncodeTo(out);
  model::PutVarint(out, head.entries);
  model::PutVarint(out, head.trimmed);
  EncodeCounts(head.counts, out);
  model::PutVarint(out, head.sources.size());
  for (const SourceMark& source : head.sources) {
    model::PutString(out, source.stream);
    out.push_back(static_cast<char>(source.priority));
    source.id.EncodeTo(out);
  }
  return out;
}

base::Result<LogHead> DecodeHead(std::string_view user, std::string_view value) {
  LogHead head;
  ByteReader in(value);
  uint8_t version = 0;
  uint64_t sources = 0;
  bool good = in.Byte(version) && version == kHeadVersion && ReadId(in, head.last) && ReadId(in, head.floor) &&
              in.Varint(head.entries) && in.Varint(head.trimmed) && DecodeCounts(in, head.counts) &&
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
  if (!ReadId(in, device.cursor) || !in.Varint(heard)) {
    return Status(Code::kCorruption, "a device's cursor cannot be decoded");
  }
  device.heard_ms = static_cast<int64_t>(heard);
  return device;
}

}  // namespace tocsin::logs
