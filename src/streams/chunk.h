// Chunk: consecutive entries of one stream, stored as one value. Drawn in docs/format.md.
//
// 1. All entries of a chunk belong to one node (node.h); names of fields that the node's first entry has are written
//    once, in the chunk's head.
// 2. Bytes that were written are never changed or moved while somebody holds them: an append writes behind them or
//    into a new buffer, a deletion makes a new chunk. So an EntryView stays good as long as its bytes are held, on any
//    thread, whatever happens to the stream.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/result.h"
#include "model/entry_id.h"

namespace tocsin::streams {

using model::EntryId;

using FieldView = std::pair<std::string_view, std::string_view>;  // name, value
using FieldSpan = std::span<const FieldView>;
using Bytes = std::shared_ptr<const char[]>;

// Whether an entry's field names are those in its chunk's head.
enum class Names : uint8_t { kSame, kOwn };

// One entry inside bytes that somebody else holds. Copying it is cheap.
class EntryView {
 public:
  // Walks over the fields in the order given by XADD.
  class Cursor {
   public:
    // False at the end. The views live as long as the bytes.
    bool Next(FieldView& field);

   private:
    friend class EntryView;
    std::string_view names_, body_;
    size_t left_ = 0;
    bool own_names_ = false;
  };

  EntryView() = default;
  // An entry that a pending list names but the stream has no more: no fields.
  static EntryView Gone(EntryId id);

  EntryId id() const { return id_; }
  bool gone() const { return body_.data() == nullptr; }
  size_t size() const { return Walk().left_; }  // pairs
  Cursor Walk() const;
  std::vector<FieldView> Fields() const;
  // The value of the first field of that name; nullptr data when there is none.
  std::string_view Find(std::string_view name) const;

 private:
  friend class Chunk;
  EntryId id_;
  std::string_view names_;  // of the chunk's head: varint count, then strings
  std::string_view body_;   // varint 0 and values, or varint pairs and names with values
};

// What a read hands out: views and the bytes that they point into.
struct Entries {
  std::vector<EntryView> list;
  std::vector<Bytes> bytes;
  bool more = false;  // stopped at a byte limit: go on after list.back().id()

  bool empty() const { return list.empty(); }
  size_t size() const { return list.size(); }
};

class Chunk {
 public:
  // For entries from `base` on; `names` are those of `fields`.
  static std::shared_ptr<Chunk> Make(EntryId base, FieldSpan fields, size_t capacity);
  // Another chunk of the same node.
  static std::shared_ptr<Chunk> MakeNext(const Chunk& before, EntryId base, size_t capacity);
  // From a stored value. kCorruption when it is none.
  static base::Result<std::shared_ptr<Chunk>> Parse(EntryId base, std::string_view value);

  // `id` is above every id in the chunk. Bytes may move to a larger buffer; views keep the old one.
  // `names` is what NamesOf(fields) said.
  void Append(EntryId id, FieldSpan fields, Names names);
  // The same chunk without entry `index`.
  std::shared_ptr<Chunk> Without(size_t index) const;

  Names NamesOf(FieldSpan fields) const;
  EntryId base() const { return base_; }
  size_t count() const { return slots_.size(); }
  EntryId id(size_t index) const { return slots_[index].id; }
  EntryView At(size_t index) const;
  size_t EntrySize(size_t index) const { return slots_[index].size; }
  // The first index whose id is >= `id`; count() when there is none.
  size_t LowerBound(EntryId id) const;
  std::string_view value() const { return {bytes_.get(), size_}; }
  Bytes bytes() const { return bytes_; }
  size_t memory() const { return capacity_ + slots_.capacity() * sizeof(Slot) + sizeof(Chunk); }

  bool staged = false;  // changed in this turn
  bool stored = false;  // a version of it is in the store

 private:
  struct Slot {
    EntryId id;
    uint32_t offset;
    uint32_t size;
  };

  void Reserve(size_t bytes);
  void AppendBody(EntryId id, std::string_view body);
  std::string_view names() const { return {bytes_.get() + 1, names_size_}; }

  EntryId base_;
  std::shared_ptr<char[]> bytes_;
  size_t size_ = 0, capacity_ = 0;
  uint32_t names_size_ = 0;
  std::vector<Slot> slots_;
};

}  // namespace tocsin::streams
