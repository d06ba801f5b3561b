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
      } else if (const Redelivery* policy = from.after ? nullptr : RedeliveryOf(from.key, *request.group)) {
        auto status = ClaimDue(from.key, request, *policy, one.entries);
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

// False: it was trimmed or deleted, so it is pending no more.
base::Result<bool> StreamEngine::DeliverAgain(const StreamAndGroup& in, Pending pending, Consumer& to, Entries& out) {
  const size_t before = out.size();
  RETURN_IF_ERROR(in.stream->Scan(pending.id, pending.id, Direction::kForward, {.count = 1}, out));
  if (out.size() == before) {
    in.group->Unassign(pending.id);
    return false;
  }
  const int64_t now_ms = clock_.NowMs();
  in.group->Assign(pending.id, to, now_ms, pending.deliveries + 1);
  in.group->Active(to, now_ms);
  return true;
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
    auto delivered = DeliverAgain(*found, pending, claimer, out.entries);
    if (!delivered.ok()) return delivered.status();
    if (!*delivered) continue;
    out.claimed.push_back({.idle_ms = now_ms - pending.IdleFromMs(), .deliveries = pending.deliveries});
  }
  return base::Ok();
}

const Redelivery* StreamEngine::RedeliveryOf(std::string_view key, std::string_view group) const {
  for (const RedeliveryRule& rule : redelivery_) {
    if (rule.Concerns(key, group)) return &rule.redelivery;
  }
  return nullptr;
}

base::Status StreamEngine::ClaimDue(std::string_view key, const ReadRequest& request, const Redelivery& policy,
                                    Entries& out) {
  auto found = FindGroup(key, *request.group);
  if (!found.ok()) return found.status();
  Group& in = *found->group;
  const int64_t now_ms = clock_.NowMs();
  if (!in.HasDue(policy, now_ms)) return base::Ok();
  Touch(key, Confirms::kNo);
  Consumer* named = in.FindConsumer(request.consumer);
  Consumer& reader = named == nullptr ? in.AddConsumer(request.consumer, now_ms) : *named;
  size_t bytes = 0;
  while (out.size() < request.count && bytes < request.max_bytes) {
    const auto due = in.TakeDue(policy, now_ms);
    if (!due) break;
    auto delivered = DeliverAgain(*found, *due, reader, out);
    if (!delivered.ok()) return delivered.status();
    if (!*delivered) continue;
    FieldView field;
    for (auto fields = out.list.back().Walk(); fields.Next(field);) bytes += field.first.size() + field.second.size();
    if (request.acks == Acks::kNone) in.Unassign(due->id);
  }
  return base::Ok();
}

base::Result<std::vector<PendingEntry>> StreamEngine::TakeExhausted(std::string_view key, std::string_view group,
                                                                    size_t count) {
  std::vector<PendingEntry> taken;
  const Redelivery* policy = RedeliveryOf(key, group);
  if (policy == nullptr) return taken;
  auto found = FindGroup(key, group);
  if (!found.ok()) return found.status();
  if (found->group == nullptr) return taken;
  const int64_t now_ms = clock_.NowMs();
  while (taken.size() < count) {
    const auto exhausted = found->group->TakeExhausted(*policy, now_ms);
    if (!exhausted) break;
    taken.push_back(Describe(*found->group, *exhausted, now_ms));
  }
  return taken;
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
  ServeSignalled();
  if (std::exchange(retry_claims_, false)) RetryClaims();
}

void StreamEngine::ServeSignalled() {
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
}

void StreamEngine::SignalDue() {
  for (const std::string& key : waiters_.Keys()) {
    for (const std::string& group : waiters_.GroupsOf(key)) {
      const Redelivery* policy = RedeliveryOf(key, group);
      if (policy == nullptr) continue;
      auto found = FindGroup(key, group);
      if (found.ok() && found->group != nullptr && found->group->HasDue(*policy, clock_.NowMs())) Signal(key);
    }
  }
}

void StreamEngine::RetryClaims() {
  for (const WaiterId id : waiters_.Claimers()) Serve(id);
  if (redelivery_.empty()) return;
  SignalDue();
  ServeSignalled();
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
