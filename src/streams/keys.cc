#include "streams/keys.h"

namespace tocsin::streams {
namespace {

constexpr char kNodeTag = 'n';
constexpr char kExpiryTag = 'x';
constexpr char kProducedTag = 'i';
constexpr char kGroupTag = 's';
constexpr uint8_t kStreamFormat = 1;

std::string Tagged(char tag, uint64_t number) {
  std::string key(1, tag);
  model::PutBig64(key, number);
  return key;
}

void PutNode(std::string& out, const Node& node) {
  PutId(out, node.last);
  model::PutVarint(out, node.live);
  model::PutVarint(out, node.deleted);
  model::PutVarint(out, node.bytes);
}

bool GetNode(model::ByteReader& reader, Node& node) {
  uint64_t live = 0, deleted = 0;
  if (!GetId(reader, node.last) || !reader.Varint(live) || !reader.Varint(deleted) || !reader.Varint(node.bytes)) {
    return false;
  }
  node.live = static_cast<uint32_t>(live);
  node.deleted = static_cast<uint32_t>(deleted);
  return true;
}

}  // namespace

std::string StreamKey(std::string_view name) {
  std::string key(1, kStreamTag);
  key.append(name);
  return key;
}

std::string ExpiryKey(int64_t at_ms, std::string_view name) {
  std::string key = Tagged(kExpiryTag, static_cast<uint64_t>(at_ms));
  key.append(name);
  return key;
}

std::string ExpiryEnd() { return std::string(1, kExpiryTag + 1); }

std::string ProducedKey(uint64_t number, uint64_t row) {
  std::string key = Tagged(kProducedTag, number);
  model::PutBig64(key, row);
  return key;
}

std::string ProducedEnd(uint64_t number) { return Tagged(kProducedTag, number + 1); }

std::string EntryKey(uint64_t number, EntryId id) {
  std::string key;
  key.reserve(8 + EntryId::kEncodedSize);
  model::PutBig64(key, number);
  id.EncodeTo(key);
  return key;
}

std::string EntriesEnd(uint64_t number) {
  std::string key;
  model::PutBig64(key, number + 1);
  return key;
}

std::string NodeKey(uint64_t number, EntryId id) {
  std::string key = Tagged(kNodeTag, number);
  id.EncodeTo(key);
  return key;
}

std::string NodesEnd(uint64_t number) { return Tagged(kNodeTag, number + 1); }

std::string GroupsBegin(uint64_t number) { return Tagged(kGroupTag, number); }
std::string GroupsEnd(uint64_t number) { return Tagged(kGroupTag, number + 1); }

std::string GroupBegin(uint64_t number, uint32_t group) {
  std::string key = Tagged(kGroupTag, number);
  PutBig32(key, group);
  return key;
}

std::string GroupEnd(uint64_t number, uint32_t group) { return model::PrefixSuccessor(GroupBegin(number, group)); }

std::string GroupKey(uint64_t number, uint32_t group) {
  std::string key = GroupBegin(number, group);
  key.push_back(static_cast<char>(GroupRow::kGroup));
  return key;
}

std::string ConsumerKey(uint64_t number, uint32_t group, uint32_t consumer) {
  std::string key = GroupBegin(number, group);
  key.push_back(static_cast<char>(GroupRow::kConsumer));
  PutBig32(key, consumer);
  return key;
}

std::string PendingKey(uint64_t number, uint32_t group, EntryId id) {
  std::string key = GroupBegin(number, group);
  key.push_back(static_cast<char>(GroupRow::kPending));
  id.EncodeTo(key);
  return key;
}

void PutBig32(std::string& out, uint32_t value) {
  model::PutBig16(out, static_cast<uint16_t>(value >> 16));
  model::PutBig16(out, static_cast<uint16_t>(value & 0xffff));
}

uint32_t GetBig32(const char* bytes) { return (uint32_t{model::GetBig16(bytes)} << 16) | model::GetBig16(bytes + 2); }

void PutId(std::string& out, EntryId id) {
  model::PutVarint(out, id.ms);
  model::PutVarint(out, id.seq);
}

bool GetId(model::ByteReader& reader, EntryId& id) { return reader.Varint(id.ms) && reader.Varint(id.seq); }

// Shifted by one, so that -1 (unknown) is one byte; unsigned, because a client may set the largest number there is.
void PutSigned(std::string& out, int64_t value) { model::PutVarint(out, static_cast<uint64_t>(value) + 1); }

bool GetSigned(model::ByteReader& reader, int64_t& value) {
  uint64_t raw = 0;
  if (!reader.Varint(raw)) return false;
  value = static_cast<int64_t>(raw - 1);
  return true;
}

void Encode(const StreamRecord& record, std::string& out) {
  out.push_back(static_cast<char>(kStreamFormat));
  model::PutVarint(out, record.number);
  model::PutVarint(out, record.length);
  model::PutVarint(out, record.entries_added);
  model::PutVarint(out, record.bytes);
  PutId(out, record.first_id);
  PutId(out, record.last_id);
  PutId(out, record.max_deleted);
  model::PutVarint(out, record.next_group);
  model::PutVarint(out, static_cast<uint64_t>(record.expires_ms));
  PutId(out, record.garbage);
  model::PutVarint(out, static_cast<uint64_t>(record.produced.duration_s));
  model::PutVarint(out, record.produced.max_per_producer);
  model::PutVarint(out, record.produced_added);
  model::PutVarint(out, record.produced_again);
  out.push_back(record.has_nodes ? 1 : 0);
  if (!record.has_nodes) return;
  PutId(out, record.head);
  PutId(out, record.tail.first);
  PutNode(out, record.tail);
}

bool Decode(std::string_view value, StreamRecord& record) {
  model::ByteReader reader(value);
  uint8_t format = 0, has_nodes = 0;
  uint64_t next_group = 0, expires = 0, duration = 0;
  if (!reader.Byte(format) || format != kStreamFormat || !reader.Varint(record.number) ||
      !reader.Varint(record.length) || !reader.Varint(record.entries_added) || !reader.Varint(record.bytes) ||
      !GetId(reader, record.first_id) || !GetId(reader, record.last_id) || !GetId(reader, record.max_deleted) ||
      !reader.Varint(next_group) || !reader.Varint(expires) || !GetId(reader, record.garbage) ||
      !reader.Varint(duration) || !reader.Varint(record.produced.max_per_producer) ||
      !reader.Varint(record.produced_added) || !reader.Varint(record.produced_again) || !reader.Byte(has_nodes)) {
    return false;
  }
  record.next_group = static_cast<uint32_t>(next_group);
  record.expires_ms = static_cast<int64_t>(expires);
  record.produced.duration_s = static_cast<int64_t>(duration);
  record.has_nodes = has_nodes != 0;
  if (!record.has_nodes) return reader.done();
  return GetId(reader, record.head) && GetId(reader, record.tail.first) && GetNode(reader, record.tail) &&
         reader.done();
}

void EncodeNode(const Node& node, std::string& out) { PutNode(out, node); }

bool DecodeNode(EntryId first, std::string_view value, Node& node) {
  model::ByteReader reader(value);
  node.first = first;
  return GetNode(reader, node) && reader.done();
}

}  // namespace tocsin::streams
