#include "streams/produced.h"

#define XXH_INLINE_ALL
#include <xxhash.h>

namespace tocsin::streams {

std::string ContentId(FieldSpan fields) {
  std::string text;
  for (const auto& [name, value] : fields) {
    model::PutString(text, name);
    model::PutString(text, value);
  }
  XXH128_canonical_t digest;
  XXH128_canonicalFromHash(&digest, XXH3_128bits(text.data(), text.size()));
  return {reinterpret_cast<const char*>(digest.digest), sizeof digest.digest};
}

base::Status Produced::Load(const storage::Store& store, const ProducedSettings& settings) {
  settings_ = settings;
  if (loaded_) return base::Ok();
  const auto rows = store.Iterate(storage::Family::kGroups, ProducedKey(stream_, 0), ProducedEnd(stream_));
  for (rows->SeekToFirst(); rows->Valid(); rows->Next()) {
    model::ByteReader reader(rows->value());
    std::string_view producer, id;
    One one;
    uint64_t at_ms = 0;
    if (rows->key().size() != 17 || !reader.String(producer) || !reader.String(id) || !GetId(reader, one.entry) ||
        !reader.Varint(at_ms)) {
      return {base::Code::kCorruption, "a stored row about a producer is damaged"};
    }
    one.producer = producer;
    one.id = id;
    one.at_ms = static_cast<int64_t>(at_ms);
    next_ = model::GetBig64(rows->key().data() + 9);
    Index(next_++, std::move(one));
  }
  RETURN_IF_ERROR(rows->status());
  loaded_ = true;
  return base::Ok();
}

void Produced::Index(uint64_t number, One one) {
  Producer& producer = by_producer_[one.producer];
  producer.order.push_back(number);
  producer.by_id[one.id] = number;
  all_.emplace(number, std::move(one));
}

void Produced::Drop(uint64_t number) {
  const auto found = all_.find(number);
  const auto producer = by_producer_.find(found->second.producer);
  std::erase(producer->second.order, number);  // the first, unless clocks went back
  producer->second.by_id.erase(found->second.id);
  if (producer->second.order.empty()) by_producer_.erase(producer);
  all_.erase(found);
  rows_.push_back(number);
}

void Produced::Forget(int64_t now_ms) {
  while (!all_.empty() && now_ms - all_.begin()->second.at_ms >= settings_.duration_s * 1000) {
    Drop(all_.begin()->first);
  }
}

std::optional<EntryId> Produced::Find(std::string_view producer, std::string_view id, int64_t now_ms) {
  Forget(now_ms);
  const auto known = by_producer_.find(producer);
  if (known == by_producer_.end()) return std::nullopt;
  const auto number = known->second.by_id.find(id);
  if (number == known->second.by_id.end()) return std::nullopt;
  return all_.at(number->second).entry;
}

void Produced::Remember(std::string_view producer, std::string_view id, EntryId entry, int64_t now_ms) {
  const auto known = by_producer_.find(producer);
  if (known != by_producer_.end() && known->second.order.size() >= settings_.max_per_producer) {
    Drop(known->second.order.front());
  }
  rows_.push_back(next_);
  Index(next_++, {.producer = std::string(producer), .id = std::string(id), .entry = entry, .at_ms = now_ms});
}

void Produced::Reset(const ProducedSettings& settings) {
  while (!all_.empty()) Drop(all_.begin()->first);
  settings_ = settings;
}

void Produced::Flush(storage::Batch& batch) {
  for (const uint64_t number : rows_) {
    const auto found = all_.find(number);
    if (found == all_.end()) {
      batch.Delete(storage::Family::kGroups, ProducedKey(stream_, number));
      continue;
    }
    std::string value;
    model::PutString(value, found->second.producer);
    model::PutString(value, found->second.id);
    PutId(value, found->second.entry);
    model::PutVarint(value, static_cast<uint64_t>(found->second.at_ms));
    batch.Put(storage::Family::kGroups, ProducedKey(stream_, number), value);
  }
  rows_.clear();
}

}  // namespace tocsin::streams
