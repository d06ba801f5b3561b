// IdBlocks<T>: elements with a member `id`, in the order of their ids, held in blocks of up to 128. A tree with a node
// per element costs 150 bytes for each pending entry; this costs the element. A block is also what is stored: one row.
//
// 1. A block's name is a lower bound of its ids and above every id of the block before; it stays when elements go.
// 2. With Tracked::kYes, `touched()` names every block that changed or vanished since ClearTouched().
#pragma once

#include <algorithm>
#include <cstddef>
#include <map>
#include <set>
#include <vector>

#include "model/entry_id.h"

namespace tocsin::streams {

enum class Tracked : unsigned char { kNo, kYes };

template <typename T, Tracked kTracked = Tracked::kNo>
class IdBlocks {
 public:
  using Id = model::EntryId;
  static constexpr size_t kMaxBlock = 128;

  size_t size() const { return size_; }
  bool empty() const { return size_ == 0; }

  // nullptr when there is none. The pointer is good until the next Insert or Erase. Whoever changes the element calls
  // Touch(id).
  T* Find(Id id) {
    const auto block = BlockOf(id);
    if (block == blocks_.end()) return nullptr;
    const auto at = LowerBound(block->second, id);
    return at != block->second.end() && at->id == id ? &*at : nullptr;
  }

  void Touch(Id id) {
    const auto block = BlockOf(id);
    if (block != blocks_.end()) Mark(block->first);
  }

  // False when the id is already there: then nothing changed.
  bool Insert(T element) {
    auto block = BlockOf(element.id);
    if (block == blocks_.end()) {
      block = blocks_.emplace(element.id, std::vector<T>()).first;
    } else if (block->second.size() >= kMaxBlock) {
      if (element.id > block->second.back().id) {
        block = blocks_.emplace(element.id, std::vector<T>()).first;
      } else {
        block = Split(block, element.id);
      }
    }
    auto& elements = block->second;
    const auto at = LowerBound(elements, element.id);
    if (at != elements.end() && at->id == element.id) return false;
    elements.insert(at, std::move(element));
    Mark(block->first);
    ++size_;
    return true;
  }

  bool Erase(Id id) {
    const auto block = BlockOf(id);
    if (block == blocks_.end()) return false;
    auto& elements = block->second;
    const auto at = LowerBound(elements, id);
    if (at == elements.end() || at->id != id) return false;
    elements.erase(at);
    Mark(block->first);
    --size_;
    if (elements.empty()) {
      blocks_.erase(block);
    } else if (elements.size() * 4 < elements.capacity()) {
      elements.shrink_to_fit();
    }
    return true;
  }

  // Calls f(const T&) for ids >= from, in order, until it answers false.
  template <typename F>
  void ForEach(Id from, F f) const {
    auto block = blocks_.upper_bound(from);
    if (block != blocks_.begin()) --block;
    for (; block != blocks_.end(); ++block) {
      for (auto at = LowerBound(block->second, from); at != block->second.end(); ++at) {
        if (!f(*at)) return;
      }
    }
  }

  const T* First() const { return blocks_.empty() ? nullptr : &blocks_.begin()->second.front(); }
  const T* Last() const { return blocks_.empty() ? nullptr : &blocks_.rbegin()->second.back(); }

  // For the store: a block by its name (nullptr: it vanished), and a block as it was read back.
  const std::vector<T>* Block(Id name) const {
    const auto block = blocks_.find(name);
    return block == blocks_.end() ? nullptr : &block->second;
  }
  // False when it does not fit behind what was restored before: then the store is damaged.
  bool Restore(Id name, std::vector<T> elements) {
    if (elements.empty() || elements.front().id < name) return false;
    if (!blocks_.empty() && blocks_.rbegin()->second.back().id >= name) return false;
    size_ += elements.size();
    blocks_.emplace_hint(blocks_.end(), name, std::move(elements));
    return true;
  }
  const std::set<Id>& touched() const { return touched_; }
  void ClearTouched() { touched_.clear(); }

 private:
  using Blocks = std::map<Id, std::vector<T>>;

  void Mark(Id name) {
    if constexpr (kTracked == Tracked::kYes) touched_.insert(name);
  }

  typename Blocks::iterator BlockOf(Id id) {
    auto block = blocks_.upper_bound(id);
    if (block == blocks_.begin()) return blocks_.end();
    return --block;
  }

  template <typename Elements>
  static auto LowerBound(Elements& elements, Id id) {
    return std::lower_bound(elements.begin(), elements.end(), id, [](const T& a, Id b) { return a.id < b; });
  }

  typename Blocks::iterator Split(typename Blocks::iterator block, Id id) {
    auto& lower = block->second;
    const auto middle = lower.begin() + static_cast<std::ptrdiff_t>(lower.size() / 2);
    std::vector<T> upper(middle, lower.end());
    lower.erase(middle, lower.end());
    Mark(block->first);
    const Id name = upper.front().id;
    const auto second = blocks_.emplace(name, std::move(upper)).first;
    Mark(name);
    return id < name ? block : second;
  }

  Blocks blocks_;
  std::set<Id> touched_;
  size_t size_ = 0;
};

}  // namespace tocsin::streams
