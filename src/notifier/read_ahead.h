// ReadAhead: the entries that a router has read of one ingest stream and not routed yet, in the order in which it
// routes them. Only this order knows of priorities; both stores use it.
//
// 1. Entries of one priority leave in the order in which they were added: the logs keep one high-water mark for each
//    priority of a stream, so between priorities any order is right, and within one there is only this.
// 2. The highest priority that waits goes first. But while others wait, of kShare entries in a row one is the oldest of
//    the lower priorities: nothing starves behind a stream of urgent ones.
// 3. While any waits that has a collapse key, all leave in the order of the stream: of two with one key the log keeps
//    the one that comes last.
#pragma once

#include <array>
#include <cstddef>
#include <deque>
#include <optional>
#include <utility>

#include "base/check.h"
#include "model/entry_id.h"
#include "model/notification.h"

namespace tocsin::notifier {

template <typename Entry>
class ReadAhead {
 public:
  static constexpr size_t kShare = 16;

  enum class Collapses : uint8_t { kNo, kYes };  // it has a collapse key

  // In the order of the stream.
  void Add(model::Priority priority, model::EntryId id, Entry entry, Collapses collapses = Collapses::kNo) {
    waiting_[static_cast<size_t>(priority)].push_back({id, std::move(entry), collapses});
    ++size_;
    collapsing_ += collapses == Collapses::kYes;
  }

  size_t size() const { return size_; }
  bool empty() const { return size_ == 0; }

  // The smallest id that waits; nothing when none does.
  std::optional<model::EntryId> Oldest() const {
    const Queue* oldest = OldestBelow(kPriorities);
    if (oldest == nullptr) return std::nullopt;
    return oldest->front().id;
  }

  // The one to be routed next. Not when empty().
  Entry Take() {
    CHECK(size_ > 0);
    size_t highest = kPriorities - 1;
    while (waiting_[highest].empty()) --highest;
    Queue* chosen = &waiting_[highest];
    Queue* lower = OldestBelow(highest);
    if (collapsing_ > 0) {
      chosen = OldestBelow(kPriorities);
    } else if (lower == nullptr) {
      passed_ = 0;
    } else if (++passed_ == kShare) {
      passed_ = 0;
      chosen = lower;
    }
    collapsing_ -= chosen->front().collapses == Collapses::kYes;
    Entry entry = std::move(chosen->front().entry);
    chosen->pop_front();
    --size_;
    return entry;
  }

 private:
  static constexpr size_t kPriorities = 4;
  struct Waiting {
    model::EntryId id;
    Entry entry;
    Collapses collapses;
  };
  using Queue = std::deque<Waiting>;

  // Of the queues below `priority`, the one whose first entry is the oldest; null: nothing waits there.
  const Queue* OldestBelow(size_t priority) const {
    const Queue* oldest = nullptr;
    for (size_t i = 0; i < priority; ++i) {
      const Queue& queue = waiting_[i];
      if (!queue.empty() && (oldest == nullptr || queue.front().id < oldest->front().id)) oldest = &queue;
    }
    return oldest;
  }
  Queue* OldestBelow(size_t priority) { return const_cast<Queue*>(std::as_const(*this).OldestBelow(priority)); }

  std::array<Queue, kPriorities> waiting_;
  size_t size_ = 0;
  size_t collapsing_ = 0;  // of them, those with a collapse key
  size_t passed_ = 0;      // in a row, while lower ones waited
};

}  // namespace tocsin::notifier
