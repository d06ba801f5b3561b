// Produced: what producers of one stream have produced lately (XADD with IDMP or IDMPAUTO, Redis 8.6), so that an entry
// sent twice is added once. Loaded from the store when first asked for.
//
// 1. A producer's own id of an entry is remembered for `duration_s` and among the last `max_per_producer` of that
//    producer, whichever ends first.
// 2. What is remembered is stored with the entry, in the same turn.
#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "storage/store.h"
#include "streams/chunk.h"
#include "streams/keys.h"

namespace tocsin::streams {

// The producer's id for an entry without one of its own (IDMPAUTO): a hash of names and values, 16 bytes.
std::string ContentId(FieldSpan fields);

class Produced {
 public:
  Produced(uint64_t stream, bool loaded) : stream_(stream), loaded_(loaded) {}

  base::Status Load(const storage::Store& store, const ProducedSettings& settings);

  // The entry that the producer has added under this id, if that is remembered.
  std::optional<EntryId> Find(std::string_view producer, std::string_view id, int64_t now_ms);
  void Remember(std::string_view producer, std::string_view id, EntryId entry, int64_t now_ms);
  // New settings forget everything.
  void Reset(const ProducedSettings& settings);
  void Forget(int64_t now_ms);

  size_t producers() const { return by_producer_.size(); }
  size_t size() const { return all_.size(); }
  bool staged() const { return !rows_.empty(); }
  void Flush(storage::Batch& batch);
  size_t memory() const { return all_.size() * 256; }

 private:
  struct One {
    std::string producer, id;
    EntryId entry;
    int64_t at_ms = 0;
  };
  struct Producer {
    std::deque<uint64_t> order;
    std::map<std::string, uint64_t, std::less<>> by_id;
  };

  void Index(uint64_t number, One one);
  void Drop(uint64_t number);

  uint64_t stream_;
  bool loaded_;
  ProducedSettings settings_;
  uint64_t next_ = 0;
  std::map<uint64_t, One> all_;  // in the order in which they were added
  std::map<std::string, Producer, std::less<>> by_producer_;
  std::vector<uint64_t> rows_;  // that changed
};

}  // namespace tocsin::streams
