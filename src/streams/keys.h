// Keys and small values of the stream engine in the store. Drawn in docs/format.md, "Streams".
//
//   kGroups   'e'                              the engine: next stream number, number of keys
//             'k' name                         a stream: number, counters, tail node
//             'n' number node-id               a node that is full
//             'i' number row                   what a producer has produced
//             'x' time name                    a key that expires then
//             's' number group 0               a group
//             's' number group 1 consumer      a consumer
//             's' number group 2 entry-id      a block of pending entries
//   kEntries  number entry-id                  a chunk
//
// Numbers are big-endian, so that a range of keys is a range of ids. A stream's number is new at each creation of its
// key: what a deleted stream leaves behind is never read as the next one's.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "model/bytes.h"
#include "model/entry_id.h"
#include "streams/node.h"

namespace tocsin::streams {

inline constexpr std::string_view kEngineKey = "e";
inline constexpr char kStreamTag = 'k';

std::string StreamKey(std::string_view name);

std::string ExpiryKey(int64_t at_ms, std::string_view name);
std::string ExpiryEnd();

std::string ProducedKey(uint64_t number, uint64_t row);
std::string ProducedEnd(uint64_t number);

std::string EntryKey(uint64_t number, EntryId id);
std::string EntriesEnd(uint64_t number);  // above every EntryKey of the stream

std::string NodeKey(uint64_t number, EntryId id);
std::string NodesEnd(uint64_t number);

// Rows of a stream's groups; of one group; then the group's own, its consumers', its pending blocks'.
std::string GroupsBegin(uint64_t number);
std::string GroupsEnd(uint64_t number);
std::string GroupBegin(uint64_t number, uint32_t group);
std::string GroupEnd(uint64_t number, uint32_t group);
inline constexpr size_t kGroupPrefix = 1 + 8 + 4;  // then a kind:
enum class GroupRow : char { kGroup = 0, kConsumer = 1, kPending = 2 };
std::string GroupKey(uint64_t number, uint32_t group);
std::string ConsumerKey(uint64_t number, uint32_t group, uint32_t consumer);
std::string PendingKey(uint64_t number, uint32_t group, EntryId id);

void PutBig32(std::string& out, uint32_t value);
uint32_t GetBig32(const char* bytes);

void PutId(std::string& out, EntryId id);
bool GetId(model::ByteReader& reader, EntryId& id);
// -1 and up, for counters that may be unknown.
void PutSigned(std::string& out, int64_t value);
bool GetSigned(model::ByteReader& reader, int64_t& value);

// XCFGSET.
struct ProducedSettings {
  int64_t duration_s = 100;
  uint64_t max_per_producer = 100;
};

// What the engine knows of a stream without reading an entry of it: the value of its 'k' row.
struct StreamRecord {
  uint64_t number = 0;
  uint64_t length = 0;
  uint64_t entries_added = 0;
  uint64_t bytes = 0;  // of all nodes, as Node counts them
  EntryId first_id, last_id, max_deleted;
  EntryId head;     // the first node; nothing below it is alive
  EntryId garbage;  // nodes from here to `head` wait to be wiped; equal to it: none
  uint32_t next_group = 0;
  int64_t expires_ms = 0;  // wall clock; 0: never
  ProducedSettings produced;
  uint64_t produced_added = 0, produced_again = 0;  // ids ever remembered, entries not added because of one
  bool has_nodes = false;
  Node tail;  // the last node, when there is one
};
void Encode(const StreamRecord& record, std::string& out);
bool Decode(std::string_view value, StreamRecord& record);

void EncodeNode(const Node& node, std::string& out);
bool DecodeNode(EntryId first, std::string_view value, Node& node);

}  // namespace tocsin::streams
