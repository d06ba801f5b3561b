#include "streams/waiters.h"

#include <algorithm>

namespace tocsin::streams {

WaiterId Waiters::Add(Waiter waiter) {
  const WaiterId id = next_++;
  Restore(id, std::move(waiter));
  return id;
}

void Waiters::Restore(WaiterId id, Waiter waiter) {
  Enqueue(id, waiter.request);
  waiters_.emplace(id, std::move(waiter));
}

std::optional<Waiter> Waiters::Take(WaiterId id) {
  const auto found = waiters_.find(id);
  if (found == waiters_.end()) return std::nullopt;
  Waiter waiter = std::move(found->second);
  waiters_.erase(found);
  Dequeue(id, waiter.request);
  return waiter;
}

const Waiter* Waiters::Find(WaiterId id) const {
  const auto found = waiters_.find(id);
  return found == waiters_.end() ? nullptr : &found->second;
}

void Waiters::Enqueue(WaiterId id, const ReadRequest& request) {
  for (const auto& from : request.streams) {
    Queues& queues = keys_[from.key];
    if (request.group) {
      queues.groups[*request.group].insert(id);
    } else {
      queues.readers.emplace(from.after.value_or(EntryId()), id);
    }
  }
  if (request.claim_min_idle_ms) claimers_.insert(id);
}

void Waiters::Dequeue(WaiterId id, const ReadRequest& request) {
  for (const auto& from : request.streams) {
    const auto found = keys_.find(from.key);
    if (found == keys_.end()) continue;  // the same key twice in one request
    Queues& queues = found->second;
    if (request.group) {
      const auto group = queues.groups.find(*request.group);
      if (group != queues.groups.end()) {
        group->second.erase(id);
        if (group->second.empty()) queues.groups.erase(group);
      }
    } else {
      queues.readers.erase({from.after.value_or(EntryId()), id});
    }
    if (queues.readers.empty() && queues.groups.empty()) keys_.erase(found);
  }
  claimers_.erase(id);
}

std::vector<std::string> Waiters::Keys() const {
  std::vector<std::string> keys;
  for (const auto& [key, queues] : keys_) keys.push_back(key);
  return keys;
}

std::vector<std::string> Waiters::GroupsOf(std::string_view key) const {
  std::vector<std::string> names;
  if (const auto found = keys_.find(key); found != keys_.end()) {
    for (const auto& [name, queue] : found->second.groups) names.push_back(name);
  }
  return names;
}

std::optional<WaiterId> Waiters::FirstOf(std::string_view key, std::string_view group) const {
  const auto found = keys_.find(key);
  if (found == keys_.end()) return std::nullopt;
  const auto queue = found->second.groups.find(group);
  if (queue == found->second.groups.end()) return std::nullopt;
  return *queue->second.begin();
}

std::vector<WaiterId> Waiters::ReadersBelow(std::string_view key, EntryId last) const {
  std::vector<WaiterId> ids;
  const auto found = keys_.find(key);
  if (found == keys_.end()) return ids;
  for (const auto& [after, id] : found->second.readers) {
    if (after >= last) break;
    ids.push_back(id);
  }
  std::sort(ids.begin(), ids.end());
  return ids;
}

}  // namespace tocsin::streams
