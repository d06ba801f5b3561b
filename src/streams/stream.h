// Stream: one key's entries, counters and groups, as commands see them in the middle of a turn.
//
// 1. Memory holds the counters, the nodes that were asked for and the newest chunks (the window); the rest is read from
//    the store when a command needs it. What a command changed stays in memory until Flush has put it into the turn's
//    batch and the turn was synced, and every read sees it.
// 2. Nodes below `head` are dead, entries below `first_id` are dead: a trim moves these marks, and rows are deleted
//    many at a time now and then. Nothing ever seeks from the first key of the stream.
// 3. Flush writes each changed chunk, node, group and the record once, however many commands changed it.
//
// A failure of the store (a read that fails) comes back as its Status. What a command had done until then stays, in
// whole entries: counters, nodes and entries agree.
#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "base/result.h"
#include "storage/store.h"
#include "streams/chunk.h"
#include "streams/group.h"
#include "streams/keys.h"
#include "streams/node.h"
#include "streams/produced.h"

namespace tocsin::streams {

enum class Direction : uint8_t { kForward, kBackward };

struct ScanLimits {
  size_t count = SIZE_MAX;
  size_t bytes = SIZE_MAX;  // of fields and values, about; at least one entry is read
};

class Stream {
 public:
  // A new key.
  Stream(storage::Store& store, std::string name, uint64_t number);
  // A key as it was stored.
  Stream(storage::Store& store, std::string name, const StreamRecord& record);

  const std::string& name() const { return name_; }
  void Rename(std::string name);
  const StreamRecord& record() const { return record_; }
  uint64_t length() const { return record_.length; }

  // `id` is above last_id.
  base::Status Append(EntryId id, FieldSpan fields, const NodeLimits& limits);

  // Entries with start <= id <= end, appended to `out`.
  base::Status Scan(EntryId start, EntryId end, Direction direction, ScanLimits limits, Entries& out);
  base::Result<bool> Contains(EntryId id);

  // Takes entries from the front until `max_len` are left, or none below `min_id`. `limit`: at most so many, 0 for any
  // number. kWholeNodes never opens a node.
  enum class TrimTo : uint8_t { kEntries, kWholeNodes };
  // Entries at or above `barrier` stay.
  base::Result<uint64_t> TrimToLength(uint64_t max_len, TrimTo to, uint64_t limit, EntryId barrier);
  base::Result<uint64_t> TrimBelow(EntryId min_id, TrimTo to, uint64_t limit);
  // Ids that exist are removed, each counted once.
  base::Result<uint64_t> Delete(std::span<const EntryId> ids);

  void SetIds(EntryId last_id, std::optional<uint64_t> entries_added, std::optional<EntryId> max_deleted);
  void SetExpiry(int64_t at_ms);

  // All nodes, oldest first; read from the store at the first call.
  base::Result<const std::deque<Node>*> Nodes();

  // Groups in the order of their names; read from the store at the first call.
  using Groups = std::map<std::string, std::unique_ptr<Group>, std::less<>>;
  base::Result<Groups*> LoadGroups();
  base::Result<Group*> FindGroup(std::string_view name);  // nullptr: none
  Group& AddGroup(std::string_view name, EntryId last_id, int64_t entries_read);
  void RemoveGroup(std::string_view name);

  // What producers have added lately; read from the store at the first call.
  base::Result<Produced*> LoadProduced();
  void CountProduced(uint64_t added, uint64_t again);
  base::Status ConfigureProduced(const ProducedSettings& settings);

  // Where a group at `id` stands among all entries ever added; Group::kUnknown when that cannot be known.
  int64_t EstimateEntriesRead(EntryId id) const;
  // True when an entry at or behind `start` was deleted out of the middle.
  bool HasTombstonesFrom(EntryId start) const;

  // Puts what changed into the batch.
  void Flush(storage::Batch& batch);
  // The turn was synced: what Flush wrote is read from the store from now on, and the window shrinks to its size.
  void Settle();
  // Deletes everything of the stream but its key's row.
  void Wipe(storage::Batch& batch) const;

  size_t memory() const;

 private:
  using ChunkPtr = std::shared_ptr<Chunk>;
  enum class NodeStart : uint8_t { kNew, kGoOn };

  class Collector;

  // Chunks.
  base::Status LoadTail();
  Chunk& ChunkFor(EntryId id, FieldSpan fields, NodeStart start);
  void Stage(const ChunkPtr& chunk);
  void Replace(const Chunk& before, ChunkPtr after);  // nullptr: nothing is left of it
  // The chunk in which `id` would be; nullptr when there is none.
  base::Result<ChunkPtr> FindChunk(EntryId id);
  base::Result<ChunkPtr> ReadChunk(const storage::Iterator& row) const;
  // Chunks of the store that lie before the window.
  std::unique_ptr<storage::Iterator> StoredChunks() const;
  size_t WindowIndex(EntryId id) const;  // of the chunk in which `id` would be; 0 when it lies before
  base::Status ScanForward(EntryId start, EntryId end, Collector& collector);
  base::Status ScanBackward(EntryId start, EntryId end, Collector& collector);

  // Nodes.
  base::Status LoadNodes();
  base::Result<bool> DeleteOne(EntryId id);
  void DropFront();
  void ForgetBelowHead();
  base::Status FindFirst(EntryId from);
  base::Status GiveUp(base::Status status);
  base::Status Missing() const;
  EntryId Head() const { return nodes_complete_ && !nodes_.empty() ? nodes_.front().first : record_.head; }
  void FlushGarbage(storage::Batch& batch);

  storage::Store& store_;
  std::string name_;
  StreamRecord record_;
  bool stored_;         // something of this number is in the store
  bool record_staged_;  // the record changed, or its key

  // The last node is nodes_.back(), when the stream has nodes. Unless nodes_complete_, older ones are in the store.
  std::deque<Node> nodes_;
  bool nodes_complete_;  // (without nodes: true)
  std::set<EntryId> node_rows_staged_;
  uint64_t garbage_nodes_ = 0;
  bool garbage_urgent_ = false;  // ids below the garbage may come again

  // The newest chunks, without a hole up to the end of the stream.
  std::deque<ChunkPtr> window_;
  size_t window_bytes_ = 0;
  // Chunks that this turn changed, by their key; nullptr: to be deleted.
  std::map<EntryId, ChunkPtr> staged_;

  Groups groups_;
  bool groups_loaded_;
  std::vector<uint32_t> removed_groups_;

  Produced produced_;
};

}  // namespace tocsin::streams
