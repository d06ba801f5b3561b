// Waiters: who waits for entries of which streams (XREAD and XREADGROUP with BLOCK), first come, first served.
//
// 1. Numbers grow with the order of arrival and are never used again: the order of a queue is the order of numbers.
// 2. Finding whom a new entry concerns costs the number of those it concerns: readers are ordered by the id that they
//    have seen, readers of a group by their arrival, of whom the first is asked.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "streams/commands.h"

namespace tocsin::streams {

using WaiterId = uint64_t;

struct Waiter {
  ReadRequest request;
  std::function<void(ReadAnswer)> done;
};

class Waiters {
 public:
  WaiterId Add(Waiter waiter);
  // Puts one back that was taken out, at its old place.
  void Restore(WaiterId id, Waiter waiter);
  // nullopt: it does not wait (any more).
  std::optional<Waiter> Take(WaiterId id);
  const Waiter* Find(WaiterId id) const;

  bool WaitsFor(std::string_view key) const { return keys_.find(key) != keys_.end(); }
  std::vector<std::string> Keys() const;
  // Groups of `key` that somebody waits for.
  std::vector<std::string> GroupsOf(std::string_view key) const;
  // Who has waited longest for the group.
  std::optional<WaiterId> FirstOf(std::string_view key, std::string_view group) const;
  // Readers without a group who have not seen the entry `last`, in the order of arrival.
  std::vector<WaiterId> ReadersBelow(std::string_view key, EntryId last) const;
  // Those that also take what others left idle (CLAIM), in the order of arrival.
  std::vector<WaiterId> Claimers() const { return {claimers_.begin(), claimers_.end()}; }

  bool has_claimers() const { return !claimers_.empty(); }
  size_t size() const { return waiters_.size(); }

 private:
  struct Queues {
    std::set<std::pair<EntryId, WaiterId>> readers;
    std::map<std::string, std::set<WaiterId>, std::less<>> groups;
  };

  void Enqueue(WaiterId id, const ReadRequest& request);
  void Dequeue(WaiterId id, const ReadRequest& request);

  WaiterId next_ = 1;
  std::unordered_map<WaiterId, Waiter> waiters_;
  std::map<std::string, Queues, std::less<>> keys_;
  std::set<WaiterId> claimers_;
};

}  // namespace tocsin::streams
