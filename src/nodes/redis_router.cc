#include "nodes/redis_router.h"

#include <algorithm>
#include <charconv>
#include <utility>

#include "base/log.h"
#include "base/metrics.h"
#include "model/limits.h"
#include "nodes/dead_letter.h"
#include "nodes/keys.h"
#include "notifier/counters.h"
#include "notifier/read_ahead.h"
#include "notifier/router.h"
#include "notifier/scheduled_row.h"
#include "wire/notification_fields.h"

namespace tocsin::nodes {
namespace {

using base::Code;
using base::Result;
using base::Status;
using model::EntryId;
using wire::RespReply;

constexpr int64_t kBlockMs = 1'000;
constexpr int64_t kPatienceMs = 5'000;
constexpr int64_t kFirstRetryMs = 50, kLongestRetryMs = 2'000;
constexpr size_t kReadAhead = model::kMaxTurnChanges;               // entries
constexpr size_t kReadBytes = 32 << 20;                             // of them, about
constexpr size_t kFew = 64;                                         // entries that may wait for more
constexpr size_t kBatchEntries = logs::RedisLogs::kMaxAppendItems;  // all of them may be one user's
constexpr size_t kBatchBytes = 4 << 20, kBatchUsers = 8'192;
constexpr size_t kAckAtOnce = 1'024;  // entries, or after so long:
constexpr int64_t kAckMs = 20;
constexpr int64_t kCloseUs = 2'000, kGatherMs = 1;
constexpr size_t kMaxDeadLetter = 16 << 20;  // bytes of fields; what is larger could not be sent
// How far back entries are routed again after a failover.
constexpr int64_t kAgainMs = 5 * 60'000;

base::Counter retries("tocsin_router_retries_total", "Times that a router had to start over after a failure");
base::Counter strays("tocsin_router_strays_total",
                     "Entries that another reader of the group had taken, claimed before they were passed by");

// KEYS: stream, the last id routed. ARGV: group, where it begins on a stream that it has not been on.
// Answers where it was made, or nothing if it was there.
const redis::Script& MakeGroupScript() {
  static const redis::Script script(R"lua(
if redis.replicate_commands then redis.replicate_commands() end
local from = redis.call('GET', KEYS[2]) or ARGV[2]
local made = redis.pcall('XGROUP', 'CREATE', KEYS[1], ARGV[1], from, 'MKSTREAM')
if made.err then
  if string.find(made.err, 'BUSYGROUP', 1, true) then return '' end
  return made
end
if from == '$' then
  local about = redis.call('XINFO', 'STREAM', KEYS[1])
  for at = 1, #about, 2 do
    if about[at] == 'last-generated-id' then from = about[at + 1] end
  end
  redis.call('SET', KEYS[2], from)
end
return from
)lua");
  return script;
}

// KEYS: stream. ARGV: group. Acknowledges what is pending and not in the stream any more; answers how much.
const redis::Script& AckVanishedScript() {
  static const redis::Script script(R"lua(
if redis.replicate_commands then redis.replicate_commands() end
local gone = 0
for _, one in ipairs(redis.call('XPENDING', KEYS[1], ARGV[1], '-', '+', 1000)) do
  if #redis.call('XRANGE', KEYS[1], one[1], one[1]) == 0 then
    gone = gone + redis.call('XACK', KEYS[1], ARGV[1], one[1])
  end
end
return gone
)lua");
  return script;
}

// The number that refused ours, at the end of the refusal.
uint64_t FenceIn(std::string_view refusal) {
  uint64_t number = 0;
  const size_t at = refusal.rfind(' ') + 1;
  std::from_chars(refusal.data() + at, refusal.data() + refusal.size(), number);
  return number;
}

size_t BytesOf(const FieldViews& fields) {
  size_t bytes = 0;
  for (const auto& [name, value] : fields) bytes += name.size() + value.size();
  return bytes;
}

}  // namespace

// What was read together, and what has joined it.
struct RedisRouter::Reading {
  struct Held {
    StreamEntry entry;
    std::shared_ptr<const RespReply> reply;  // its fields lie in it
  };
  // For XREADGROUP: more may come while these are routed.
  enum class Kind : uint8_t { kClosed, kNew };
  Kind kind = Kind::kClosed;
  notifier::ReadAhead<Held> ahead;  // those that are in no batch yet
  EntryId last;                     // that was added
  size_t bytes = 0;                 // of all that were added: an entry that waits keeps its whole reply
  Next then = nullptr;              // all of them are routed

  bool HasRoom() const {
    return kind == Kind::kNew && !ahead.empty() && ahead.size() < kReadAhead && bytes < kReadBytes;
  }
  // In the order of the stream. Answers how many there are in `list`, an element of the reply.
  size_t Add(const std::shared_ptr<const RespReply>& reply, const RespReply& list) {
    std::vector<StreamEntry> entries = EntriesOf(list);
    for (StreamEntry& entry : entries) {
      last = entry.id;
      bytes += BytesOf(entry.fields);
      const model::Priority priority = wire::PriorityOf(entry.fields);
      using Collapses = decltype(ahead)::Collapses;
      const Collapses collapses = wire::HasCollapseKey(entry.fields) ? Collapses::kYes : Collapses::kNo;
      ahead.Add(priority, last, {std::move(entry), reply}, collapses);
    }
    return entries.size();
  }
};

// What is acknowledged together.
struct RedisRouter::Batch {
  uint64_t term, fence;
  std::shared_ptr<Reading> reading;
  std::vector<EntryId> ids;
  const std::shared_ptr<RedisDelivery::Load> load = std::make_shared<RedisDelivery::Load>();
  std::vector<notifier::Timer> later;
  size_t other_bytes = 0;  // of dead letters and of what comes later
  size_t waiting = 0;      // answers
  std::string failure;
  bool fenced = false;
};

RedisRouter::RedisRouter(runtime::Core& core, redis::Client& client, logs::RedisLogs& logs, RedisSchedule& schedule,
                         std::string stream, std::string node, std::string start, Appended appended,
                         const state::RateLimits& limits)
    : core_(core),
      client_(client),
      logs_(logs),
      schedule_(schedule),
      stream_(std::move(stream)),
      node_(node),
      start_(std::move(start)),
      routed_key_(StreamKey(stream_, "routed")),
      delivery_(logs, schedule.expiry(), stream_, stream_, std::move(appended), limits, schedule.Holder()),
      lease_(core, client, StreamKey(stream_, "lease"), std::move(node), *this),
      count_(kReadAhead) {
  Drive(schedule_.timers());
  Drive(schedule_.expiry().timers());
}

uint64_t RedisRouter::NewTerm() {
  if (auto load = load_.lock()) load->Abandon();
  SetBacklog(notifier::FairShare::Backlog::kNone);
  return ++term_;
}

void RedisRouter::ShareWith(notifier::FairShare& share, int weight) {
  share_ = &share;
  place_ = share.Add(weight);
}

void RedisRouter::SetBacklog(notifier::FairShare::Backlog backlog) {
  if (share_ != nullptr) share_->Set(place_, backlog);
}

size_t RedisRouter::BatchEntries() const {
  return share_ == nullptr ? kBatchEntries : share_->Of(place_, kBatchEntries);
}

void RedisRouter::OnLease(uint64_t fence) {
  NewTerm();
  finished_.clear();
  fence_ = fence;
  failures_ = 0;
  TakeOver();
}

void RedisRouter::OnLeaseLost() {
  for (RedisTimers* timers : driven_) timers->End();
  NewTerm();
  finished_.clear();  // the next one finds that the logs have them
  StopReading();
}

void RedisRouter::Release() {
  Acknowledge();
  lease_.Release();
}

void RedisRouter::StopReading() {
  if (blocking_ != 0) client_.CancelBlocking(std::exchange(blocking_, 0));
}

void RedisRouter::RouteAgain() {
  again_ = true;
  for (RedisTimers* timers : driven_) timers->Again();
  if (!lease_.held()) return;
  NewTerm();
  StopReading();
  TakeOver();
}

void RedisRouter::Fail(std::string_view what, const Result<RespReply>& reply) {
  Retry(what, reply.ok() ? std::string_view(reply->text) : reply.status().message());
}

void RedisRouter::Retry(std::string_view what, std::string_view why) {
  const uint64_t term = NewTerm();  // nothing of this attempt goes on
  StopReading();
  count_ = std::max<size_t>(count_ / 4, 1);  // the reply may have been too large
  retries.Add();
  if (failures_++ % 20 == 0) {
    base::Log(base::Level::kWarn, "routing_failed", {{"stream", stream_}, {"step", what}, {"why", why}});
  }
  const int64_t delay_ms = std::min(kLongestRetryMs, kFirstRetryMs << std::min<int64_t>(failures_, 6));
  core_.After(delay_ms, [this, term] {
    if (!Stale(term) && lease_.held()) TakeOver();
  });
}

void RedisRouter::Prepare(std::function<void()> ready) {
  MakeGroup([this, ready = std::move(ready)](std::string_view failure) mutable {
    if (failure.empty()) return ready();
    base::Log(base::Level::kWarn, "group_missing", {{"stream", stream_}, {"why", failure}});
    core_.After(kLongestRetryMs, [this, ready = std::move(ready)]() mutable { Prepare(std::move(ready)); });
  });
}

void RedisRouter::TakeOver() {
  Acknowledge();
  logs_.RaiseFence(stream_, fence_, [this, term = term_](const Status& raised) {
    if (Stale(term)) return;
    if (raised.code() == Code::kConflict) {
      // Another one has the lease, which is about to be noticed; or the counter was lost, and was behind.
      base::Log(base::Level::kWarn, "fence_behind",
                {{"stream", stream_}, {"fence", fence_}, {"why", raised.message()}});
      return lease_.Renumber(FenceIn(raised.message()));
    }
    if (!raised.ok()) return Retry("fence", raised.message());
    for (RedisTimers* timers : driven_) timers->Begin(fence_);
    MakeGroup([this, term](std::string_view failure) {
      if (Stale(term)) return;
      if (!failure.empty()) return Retry("group", failure);
      ClaimPending("0-0");
    });
  });
}

// Where the group was made before, it goes on; where it has vanished, it begins after the last entry it had finished.
void RedisRouter::MakeGroup(Made then) {
  client_.Eval(MakeGroupScript(), {stream_, routed_key_}, {std::string(notifier::kGroup), prepared_ ? "0" : start_},
               [this, then = std::move(then)](const Result<RespReply>& reply) {
                 if (!reply.ok()) return then(reply.status().message());
                 if (reply->is_error()) return then(reply->text);
                 if (!reply->text.empty()) {
                   base::Log(base::Level::kInfo, "group_made", {{"stream", stream_}, {"start", reply->text}});
                 }
                 prepared_ = true;
                 then({});
               });
}

// Whoever had them: the fence has made sure that nobody else is at work.
void RedisRouter::ClaimPending(std::string cursor) {
  auto claimed = [this, term = term_](Result<RespReply> reply) {
    if (Stale(term)) return;
    if (!reply.ok() || reply->is_error() || reply->elements.size() < 2) return Fail("claim", reply);
    auto reading = std::make_shared<Reading>();
    const auto whole = std::make_shared<const RespReply>(std::move(reply).value());
    const std::vector<RespReply>& parts = whole->elements;
    vanished_ |= reading->Add(whole, parts[1]) < parts[1].elements.size();
    if (parts.size() > 2) notifier::taken_away.Add(static_cast<int64_t>(parts[2].elements.size()));
    reading->then = [this, following = parts[0].text] {
      return following == "0-0" ? EndClaim() : ClaimPending(following);
    };
    Route(reading);
  };
  client_.Call(
      stream_,
      {"XAUTOCLAIM", stream_, std::string(notifier::kGroup), node_, "0", cursor, "COUNT", std::to_string(count_)},
      std::move(claimed), {.patience_ms = kPatienceMs});
}

void RedisRouter::EndClaim() {
  if (std::exchange(vanished_, false)) return AckVanished();
  if (!again_) return ReadNew();
  const int64_t from_ms = std::max<int64_t>(core_.clock().NowMs() - kAgainMs, 0);
  RouteRecent(std::to_string(from_ms));
}

// Before Redis 7 what was deleted stays pending, and is claimed as a nil without its id.
void RedisRouter::AckVanished() {
  client_.Eval(AckVanishedScript(), {stream_}, {std::string(notifier::kGroup)},
               [this, term = term_](const Result<RespReply>& reply) {
                 if (Stale(term)) return;
                 if (!reply.ok() || reply->is_error()) return Fail("vanished", reply);
                 notifier::taken_away.Add(reply->integer);
                 return reply->integer > 0 ? AckVanished() : EndClaim();
               });
}

void RedisRouter::RouteRecent(std::string from) {
  auto read = [this, term = term_](Result<RespReply> reply) {
    if (Stale(term)) return;
    if (!reply.ok() || reply->is_error()) return Fail("again", reply);
    auto reading = std::make_shared<Reading>();
    const auto whole = std::make_shared<const RespReply>(std::move(reply).value());
    if (reading->Add(whole, *whole) == 0) {
      again_ = false;
      Acknowledge();  // these were pending before at most
      return ReadNew();
    }
    reading->then = [this, following = "(" + reading->last.ToString()] { RouteRecent(following); };
    Route(reading);
  };
  client_.Call(stream_, {"XRANGE", stream_, std::move(from), "+", "COUNT", std::to_string(count_)}, std::move(read),
               {.patience_ms = kPatienceMs});
}

void RedisRouter::ReadNew() {
  auto read = [this, term = term_](Result<RespReply> reply) {
    if (Stale(term)) return;
    blocking_ = 0;
    if (!reply.ok() || reply->is_error()) return Fail("read", reply);
    failures_ = 0;
    auto reading = std::make_shared<Reading>();
    reading->kind = Reading::Kind::kNew;
    const auto whole = std::make_shared<const RespReply>(std::move(reply).value());
    if (const RespReply* list = ListOf(*whole)) reading->Add(whole, *list);
    reading->then = [this, had = reading->ahead.size()] { ReadOn(had); };
    LookForStrays(reading);
  };
  blocking_ = client_.CallBlocking(stream_,
                                   {"XREADGROUP", "GROUP", std::string(notifier::kGroup), node_, "COUNT",
                                    std::to_string(count_), "BLOCK", std::to_string(kBlockMs), "STREAMS", stream_, ">"},
                                   std::move(read), {.patience_ms = kBlockMs + kPatienceMs});
}

// Entries that come close behind each other are let gather for a moment: what Redis and we do for a batch of one, we do
// for several then.
void RedisRouter::ReadOn(size_t had) {
  const int64_t now_us = core_.clock().MonotonicUs();
  const bool busy = had > 0 && had < kFew && now_us - std::exchange(read_us_, now_us) < kCloseUs;
  if (!busy) return ReadNew();
  core_.After(kGatherMs, [this, term = term_] {
    if (!Stale(term)) ReadNew();
  });
}

// Between two batches: what has come meanwhile joins those that wait, as far as there is room.
void RedisRouter::ReadMore(const std::shared_ptr<Reading>& reading) {
  const size_t room = std::min(count_, kReadAhead - reading->ahead.size());
  auto read = [this, term = term_, reading](Result<RespReply> reply) {
    if (Stale(term)) return;
    if (!reply.ok() || reply->is_error()) return Fail("read", reply);
    const auto whole = std::make_shared<const RespReply>(std::move(reply).value());
    const RespReply* list = ListOf(*whole);
    if (list == nullptr || reading->Add(whole, *list) == 0) return Route(reading);
    LookForStrays(reading);
  };
  client_.Call(stream_,
               {"XREADGROUP", "GROUP", std::string(notifier::kGroup), node_, "COUNT", std::to_string(room), "STREAMS",
                stream_, ">"},
               std::move(read), {.patience_ms = kPatienceMs});
}

// What is pending beside this reading, and what is not acknowledged yet, went to somebody else, and some of it is
// older. To route on would leave it behind for good, because the logs take nothing older than they have.
void RedisRouter::LookForStrays(const std::shared_ptr<Reading>& reading) {
  auto counted = [this, term = term_, reading,
                  ours = reading->ahead.size() + finished_.size()](const Result<RespReply>& reply) {
    if (Stale(term)) return;
    if (!reply.ok() || reply->is_error() || reply->elements.empty()) return Fail("pending", reply);
    const auto pending = static_cast<size_t>(std::max<int64_t>(reply->elements[0].integer, 0));
    if (pending <= ours) return Route(reading);
    strays.Add(static_cast<int64_t>(pending - ours));
    Acknowledge();  // else what is finished would be claimed, and counted twice from then on
    ClaimPending("0-0");
  };
  client_.Call(stream_, {"XPENDING", stream_, std::string(notifier::kGroup)}, std::move(counted),
               {.patience_ms = kPatienceMs});
}

void RedisRouter::Route(const std::shared_ptr<Reading>& reading) {
  if (reading->ahead.empty()) {
    const bool large = reading->bytes > kReadBytes;
    count_ = large ? std::max<size_t>(count_ / 2, 1) : std::min(2 * count_, kReadAhead);
    SetBacklog(notifier::FairShare::Backlog::kNone);
    return reading->then();
  }
  SetBacklog(notifier::FairShare::Backlog::kSome);
  auto batch = std::make_shared<Batch>();
  batch->term = term_;
  batch->fence = fence_;
  batch->reading = reading;
  batch->waiting = 1;  // this function's own share
  const RedisDelivery::Load& load = *batch->load;
  for (size_t most = BatchEntries(); batch->ids.size() < most && !reading->ahead.empty() &&
                                     load.bytes() + batch->other_bytes < kBatchBytes && load.users() < kBatchUsers;) {
    const Reading::Held held = reading->ahead.Take();
    batch->ids.push_back(held.entry.id);
    Take(batch, held.entry);
  }
  ++batch->waiting;
  if (!batch->later.empty()) {
    ++batch->waiting;
    schedule_.Add(batch->later, [this, batch](const Status& added) { Note(batch, added); });
  }
  load_ = batch->load;
  delivery_.Deliver(batch->load, batch->fence, [this, batch](const Status& delivered) { Note(batch, delivered); });
  if (--batch->waiting == 0) Finish(batch);
}

void RedisRouter::Take(const std::shared_ptr<Batch>& batch, const StreamEntry& entry) {
  if (entry.deleted) return notifier::taken_away.Add();
  wire::UnknownPriority unknown = wire::UnknownPriority::kNo;
  auto read = wire::FromEntry(entry.fields, entry.id.ms, &unknown);
  if (!read.ok()) {
    batch->other_bytes += std::min(BytesOf(entry.fields), kMaxDeadLetter);
    return AddDeadLetter(batch, entry, std::string(read.status().message()));
  }
  auto notification = std::make_shared<const model::Notification>(std::move(*read));
  if (unknown == wire::UnknownPriority::kYes) notifier::unknown_priorities.Add();
  if (notification->deliver_at_ms && *notification->deliver_at_ms > static_cast<int64_t>(entry.id.ms)) {
    batch->later.push_back(notifier::ScheduledTimer(notifier::NidOf(stream_, entry.id), *notification));
    batch->other_bytes += batch->later.back().payload.size();
    return;
  }
  batch->load->Add({.nid = notifier::NidOf(stream_, entry.id),
                    .notification = notification,
                    .users = notification->users,
                    .at_ms = static_cast<int64_t>(entry.id.ms),
                    .source = entry.id});
}

// One answer that a batch waits for.
void RedisRouter::Note(const std::shared_ptr<Batch>& batch, const Status& done) {
  if (!done.ok()) {
    batch->failure = done.message();
    batch->fenced |= done.code() == Code::kConflict;
  }
  if (--batch->waiting == 0) Finish(batch);
}

void RedisRouter::Finish(const std::shared_ptr<Batch>& batch) {
  if (Stale(batch->term)) return;
  if (!batch->failure.empty()) return Retry(batch->fenced ? "fenced" : "append", batch->failure);
  notifier::routed.Add(static_cast<int64_t>(batch->load->notifications() + batch->later.size()));
  finished_.insert(finished_.end(), batch->ids.begin(), batch->ids.end());
  // An urgent one may have gone before what is older: what is finished without a hole ends before the oldest.
  const std::shared_ptr<Reading>& reading = batch->reading;
  const std::optional<EntryId> oldest = reading->ahead.Oldest();
  routed_ = oldest ? oldest->Previous().value_or(EntryId{}) : reading->last;
  if (finished_.size() >= kAckAtOnce) {
    Acknowledge();
  } else if (!std::exchange(ack_due_, true)) {
    core_.After(kAckMs, [this] {
      ack_due_ = false;
      Acknowledge();
    });
  }
  reading->HasRoom() ? ReadMore(reading) : Route(reading);
}

void RedisRouter::Acknowledge() {
  if (finished_.empty()) return;
  redis::Arguments ack = {"XACK", stream_, std::string(notifier::kGroup)};
  for (const EntryId& id : finished_) ack.push_back(id.ToString());
  client_.Call(stream_, std::move(ack), [this, term = term_](const Result<RespReply>& reply) {
    if (!Stale(term) && (!reply.ok() || reply->is_error())) Fail("ack", reply);
  });
  client_.Call(routed_key_, {"SET", routed_key_, routed_.ToString()}, [](const Result<RespReply>&) {});
  finished_.clear();
}

// Appended before the entry is acknowledged, so at worst it is there twice, with the same tocsin_id.
void RedisRouter::AddDeadLetter(const std::shared_ptr<Batch>& batch, const StreamEntry& entry, std::string reason) {
  const size_t bytes = BytesOf(entry.fields);
  const bool too_large = bytes > kMaxDeadLetter;
  if (too_large) reason += " (its fields are left out: " + std::to_string(bytes) + " bytes)";
  ++batch->waiting;
  auto verdict = [this, id = entry.id.ToString(), reason = std::move(reason)]() -> Verdict {
    return {.stream = stream_, .id = id, .group = notifier::kGroup, .reason = reason};
  };
  auto added = [this, batch, verdict](const Result<RespReply>& reply) {
    if (reply.ok() && !reply->is_error()) {
      NoteDeadLetter(verdict());
    } else {
      batch->failure = reply.ok() ? reply->text : std::string(reply.status().message());
    }
    if (--batch->waiting == 0) Finish(batch);
  };
  client_.Call(DeadLettersOf(stream_), DeadLetterCommand(verdict(), too_large ? FieldViews() : entry.fields),
               std::move(added), {.patience_ms = kPatienceMs});
}

}  // namespace tocsin::nodes
