// Reading several streams in one command, and waiting for them: XREAD and XREADGROUP with BLOCK.
#include <algorithm>
#include <utility>

#include "streams/engine.h"
#include "streams/errors.h"

namespace tocsin::streams {

ReadAnswer StreamEngine::ReadMany(const ReadRequest& request) {
  std::vector<StreamEntries> answer;
  if (request.group) {
    // All are looked at before the first is changed.
    for (const auto& from : request.streams) {
      auto found = FindGroup(from.key, *request.group);
      if (!found.ok()) return found.status();
      if (found->group == nullptr) return NoSuchKeyOrGroup(from.key, *request.group, kInReadGroup);
    }
  }
  for (size_t i = 0; i < request.streams.size(); ++i) {
    const auto& from = request.streams[i];
    StreamEntries one{.stream = i, .entries = {}, .claimed = {}};
    if (!request.group) {
      auto entries =
          Read(from.key, from.after.value_or(EntryId()), {.count = request.count, .max_bytes = request.max_bytes});
      if (!entries.ok()) return entries.status();
      one.entries = std::move(*entries);
    } else {
      ReadGroupOptions options{
          .count = request.count, .acks = request.acks, .max_bytes = request.max_bytes, .history_after = from.after};
      if (request.claim_min_idle_ms && !from.after) {
        auto status = ClaimIdle(from.key, request, one);
        if (!status.ok()) return status;
        options.count -= one.entries.size();
      }
      auto entries = ReadGroup(from.key, *request.group, request.consumer, options);
      if (!entries.ok()) return entries.status();
      std::move(entries->list.begin(), entries->list.end(), std::back_inserter(one.entries.list));
      std::move(entries->bytes.begin(), entries->bytes.end(), std::back_inserter(one.entries.bytes));
      one.entries.more = entries->more;
    }
    // A history is an answer even when it is empty.
    if (!one.entries.empty() || (request.group && from.after)) answer.push_back(std::move(one));
  }
  return answer;
}

base::Status StreamEngine::ClaimIdle(std::string_view key, const ReadRequest& request, StreamEntries& out) {
  auto found = FindGroup(key, *request.group);
  if (!found.ok()) return found.status();
  Group& in = *found->group;
  const int64_t now_ms = clock_.NowMs();
  const int64_t before_ms = now_ms - *request.claim_min_idle_ms;
  std::vector<Pending> idle = in.IdleSince(before_ms);
  if (idle.empty()) return base::Ok();
  Touch(key);
  Consumer* named = in.FindConsumer(request.consumer);
  Consumer& claimer = named == nullptr ? in.AddConsumer(request.consumer, now_ms) : *named;
  for (const Pending& pending : idle) {
    if (out.entries.size() >= request.count) break;
    const size_t before = out.entries.size();
    RETURN_IF_ERROR(found->stream->Scan(pending.id, pending.id, Direction::kForward, {.count = 1}, out.entries));
    if (out.entries.size() == before) {
      in.Unassign(pending.id);
      continue;
    }
    out.claimed.push_back({.idle_ms = now_ms - pending.delivered_ms, .deliveries = pending.deliveries});
    in.Assign(pending.id, claimer, now_ms, pending.deliveries + 1);
    in.Active(claimer, now_ms);
  }
  return base::Ok();
}

WaiterId StreamEngine::Wait(ReadRequest request, std::function<void(ReadAnswer)> done) {
  const WaiterId id = waiters_.Add({std::move(request), std::move(done)});
  new_waiters_.push_back(id);
  return id;
}

bool StreamEngine::CancelWait(WaiterId id) {
  if (waiters_.Take(id)) return true;
  for (Served& served : served_) {
    if (served.id == id) served.cancelled = true;
  }
  return false;
}

void StreamEngine::Signal(std::string_view key) {
  if (!waiters_.WaitsFor(key)) return;
  if (std::find(signalled_.begin(), signalled_.end(), key) == signalled_.end()) signalled_.emplace_back(key);
}

bool StreamEngine::Serve(WaiterId id) {
  ReadAnswer answer = ReadMany(waiters_.Find(id)->request);
  if (answer.ok() && answer->empty()) return false;
  served_.push_back({.id = id, .waiter = *waiters_.Take(id), .answer = std::move(answer), .cancelled = false});
  return true;
}

void StreamEngine::EndCommand() {
  // Serving deletes expired keys at most, and those have told whom they concern before.
  for (size_t i = 0; i < signalled_.size(); ++i) {
    const std::string key = signalled_[i];
    for (const std::string& group : waiters_.GroupsOf(key)) {
      while (const auto first = waiters_.FirstOf(key, group)) {
        if (!Serve(*first)) break;
      }
    }
    auto last = LastId(key);
    if (!last.ok()) continue;
    for (const WaiterId id : waiters_.ReadersBelow(key, *last)) Serve(id);
  }
  signalled_.clear();
  if (std::exchange(retry_claims_, false)) RetryClaims();
}

void StreamEngine::RetryClaims() {
  for (const WaiterId id : waiters_.Claimers()) Serve(id);
}

void StreamEngine::AnswerWaiters(const base::Status& status) {
  std::vector<Served> served = std::move(served_);
  served_.clear();
  signalled_.clear();
  retry_claims_ = false;
  std::vector<WaiterId> fresh = std::move(new_waiters_);
  new_waiters_.clear();
  if (!status.ok()) {
    // Whoever began to wait in this turn is told by the failure of its change; others wait on, at their old places.
    for (const WaiterId id : fresh) waiters_.Take(id);
  }
  for (Served& one : served) {
    if (status.ok()) {
      one.waiter.done(std::move(one.answer));
    } else if (std::binary_search(fresh.begin(), fresh.end(), one.id)) {
      continue;
    } else if (one.cancelled) {
      one.waiter.done(std::vector<StreamEntries>());
    } else {
      waiters_.Restore(one.id, std::move(one.waiter));
    }
  }
}

}  // namespace tocsin::streams
