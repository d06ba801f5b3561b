#include "streams/chunk.h"

#include <algorithm>
#include <cstring>
#include <limits>

#include "model/bytes.h"

namespace tocsin::streams {
namespace {

constexpr char kChunkFormat = 1;

size_t VarintSize(uint64_t value) {
  size_t size = 1;
  for (; value >= 0x80; value >>= 7) ++size;
  return size;
}

char* WriteVarint(char* to, uint64_t value) {
  for (; value >= 0x80; value >>= 7) *to++ = static_cast<char>(value | 0x80);
  *to++ = static_cast<char>(value);
  return to;
}

char* WriteString(char* to, std::string_view text) {
  to = WriteVarint(to, text.size());
  if (!text.empty()) std::memcpy(to, text.data(), text.size());
  return to + text.size();
}

size_t StringSize(std::string_view text) { return VarintSize(text.size()) + text.size(); }

}  // namespace

EntryView EntryView::Gone(EntryId id) {
  EntryView view;
  view.id_ = id;
  return view;
}

EntryView::Cursor EntryView::Walk() const {
  Cursor cursor;
  model::ByteReader body(body_), names(names_);
  uint64_t pairs = 0;
  if (!body.Varint(pairs)) return cursor;
  cursor.own_names_ = pairs != 0;
  if (pairs == 0 && !names.Varint(pairs)) return cursor;
  cursor.left_ = pairs;
  cursor.body_ = body.rest();
  cursor.names_ = names.rest();
  return cursor;
}

bool EntryView::Cursor::Next(FieldView& field) {
  if (left_ == 0) return false;
  --left_;
  model::ByteReader body(body_), names(names_);
  if (!(own_names_ ? body : names).String(field.first) || !body.String(field.second)) {
    left_ = 0;
    return false;
  }
  body_ = body.rest();
  names_ = names.rest();
  return true;
}

std::vector<FieldView> EntryView::Fields() const {
  std::vector<FieldView> fields;
  Cursor cursor = Walk();
  for (FieldView field; cursor.Next(field);) fields.push_back(field);
  return fields;
}

std::string_view EntryView::Find(std::string_view name) const {
  Cursor cursor = Walk();
  for (FieldView field; cursor.Next(field);) {
    if (field.first == name) return field.second;
  }
  return {};
}

std::shared_ptr<Chunk> Chunk::Make(EntryId base, FieldSpan fields, size_t capacity) {
  auto chunk = std::make_shared<Chunk>();
  chunk->base_ = base;
  size_t names = VarintSize(fields.size());
  for (const auto& [name, value] : fields) names += StringSize(name);
  chunk->names_size_ = static_cast<uint32_t>(names);
  chunk->capacity_ = std::max(capacity, names + 1);
  chunk->bytes_ = std::make_shared_for_overwrite<char[]>(chunk->capacity_);
  char* to = chunk->bytes_.get();
  *to++ = kChunkFormat;
  to = WriteVarint(to, fields.size());
  for (const auto& [name, value] : fields) to = WriteString(to, name);
  chunk->size_ = names + 1;
  return chunk;
}

std::shared_ptr<Chunk> Chunk::MakeNext(const Chunk& before, EntryId base, size_t capacity) {
  auto chunk = std::make_shared<Chunk>();
  chunk->base_ = base;
  chunk->names_size_ = before.names_size_;
  chunk->size_ = before.names_size_ + 1;
  chunk->capacity_ = std::max(capacity, chunk->size_);
  chunk->bytes_ = std::make_shared_for_overwrite<char[]>(chunk->capacity_);
  std::memcpy(chunk->bytes_.get(), before.bytes_.get(), chunk->size_);
  return chunk;
}

base::Result<std::shared_ptr<Chunk>> Chunk::Parse(EntryId base, std::string_view value) {
  const auto damaged = [&] {
    return base::Status(base::Code::kCorruption, "a stored chunk of entries is damaged at " + base.ToString());
  };
  if (value.empty() || value.front() != kChunkFormat || value.size() > std::numeric_limits<uint32_t>::max()) {
    return damaged();
  }
  model::ByteReader reader(value.substr(1));
  uint64_t names = 0;
  if (!reader.Varint(names)) return damaged();
  for (std::string_view name; names > 0; --names) {
    if (!reader.String(name)) return damaged();
  }
  auto chunk = std::make_shared<Chunk>();
  chunk->base_ = base;
  chunk->names_size_ = static_cast<uint32_t>(value.size() - 1 - reader.rest().size());
  chunk->size_ = chunk->capacity_ = value.size();
  chunk->bytes_ = std::make_shared_for_overwrite<char[]>(value.size());
  std::memcpy(chunk->bytes_.get(), value.data(), value.size());
  chunk->stored = true;
  while (!reader.done()) {
    uint64_t ms = 0, seq = 0;
    std::string_view body;
    if (!reader.Varint(ms) || !reader.Varint(seq) || !reader.String(body)) return damaged();
    const EntryId id{base.ms + ms, ms == 0 ? base.seq + seq : seq};
    if (!chunk->slots_.empty() && id <= chunk->slots_.back().id) return damaged();
    chunk->slots_.push_back(
        {id, static_cast<uint32_t>(body.data() - value.data()), static_cast<uint32_t>(body.size())});
  }
  return chunk;
}

Names Chunk::NamesOf(FieldSpan fields) const {
  model::ByteReader reader(names());
  uint64_t count = 0;
  if (!reader.Varint(count) || count != fields.size()) return Names::kOwn;
  for (const auto& field : fields) {
    std::string_view name;
    if (!reader.String(name) || name != field.first) return Names::kOwn;
  }
  return Names::kSame;
}

void Chunk::Reserve(size_t bytes) {
  if (size_ + bytes <= capacity_) return;
  // The old buffer stays as it is for whoever holds it.
  capacity_ = std::max(capacity_ * 2, size_ + bytes);
  auto larger = std::make_shared_for_overwrite<char[]>(capacity_);
  std::memcpy(larger.get(), bytes_.get(), size_);
  bytes_ = std::move(larger);
}

void Chunk::Append(EntryId id, FieldSpan fields, Names names) {
  const bool same = names == Names::kSame;
  size_t body = VarintSize(same ? 0 : fields.size());
  for (const auto& [name, value] : fields) body += StringSize(value) + (same ? 0 : StringSize(name));
  const uint64_t ms = id.ms - base_.ms;
  const uint64_t seq = ms == 0 ? id.seq - base_.seq : id.seq;
  Reserve(VarintSize(ms) + VarintSize(seq) + VarintSize(body) + body);
  char* to = bytes_.get() + size_;
  to = WriteVarint(to, ms);
  to = WriteVarint(to, seq);
  to = WriteVarint(to, body);
  slots_.push_back({id, static_cast<uint32_t>(to - bytes_.get()), static_cast<uint32_t>(body)});
  to = WriteVarint(to, same ? 0 : fields.size());
  for (const auto& [name, value] : fields) {
    if (!same) to = WriteString(to, name);
    to = WriteString(to, value);
  }
  size_ = static_cast<size_t>(to - bytes_.get());
}

void Chunk::AppendBody(EntryId id, std::string_view body) {
  const uint64_t ms = id.ms - base_.ms;
  const uint64_t seq = ms == 0 ? id.seq - base_.seq : id.seq;
  Reserve(VarintSize(ms) + VarintSize(seq) + StringSize(body));
  char* to = bytes_.get() + size_;
  to = WriteVarint(to, ms);
  to = WriteVarint(to, seq);
  to = WriteString(to, body);
  size_ = static_cast<size_t>(to - bytes_.get());
  slots_.push_back({id, static_cast<uint32_t>(size_ - body.size()), static_cast<uint32_t>(body.size())});
}

std::shared_ptr<Chunk> Chunk::Without(size_t index) const {
  auto rest = MakeNext(*this, base_, size_);
  rest->stored = stored;
  rest->slots_.reserve(slots_.size());
  for (size_t i = 0; i < slots_.size(); ++i) {
    if (i == index) continue;
    rest->AppendBody(slots_[i].id, {bytes_.get() + slots_[i].offset, slots_[i].size});
  }
  return rest;
}

EntryView Chunk::At(size_t index) const {
  EntryView view;
  view.id_ = slots_[index].id;
  view.names_ = names();
  view.body_ = {bytes_.get() + slots_[index].offset, slots_[index].size};
  return view;
}

size_t Chunk::LowerBound(EntryId id) const {
  const auto at =
      std::lower_bound(slots_.begin(), slots_.end(), id, [](const Slot& slot, EntryId key) { return slot.id < key; });
  return static_cast<size_t>(at - slots_.begin());
}

}  // namespace tocsin::streams
