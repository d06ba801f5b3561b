#include "nodes/redis_router.h"

#include <algorithm>
#include <unordered_map>
#include <utility>

#include "base/log.h"
#include "base/metrics.h"
#include "nodes/keys.h"
#include "notifier/counters.h"
#include "notifier/dead_letters.h"
#include "notifier/rendered_item.h"
#include "notifier/router.h"
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
constexpr int kBatch = 256;  // entries read at once
// How far back entries are routed again after a failover.
constexpr int64_t kAgainMs = 5 * 60'000;

base::Counter retries("tocsin_router_retries_total", "Times that a router had to start over after a failure");

}  // namespace

// What was read together: its appends are under way together, and acknowledged together.
struct RedisRouter::Batch {
  uint64_t term;
  std::vector<StreamEntry> entries;
  Next next;
  std::vector<logs::AppendRequest> requests;             // in each, one user's items in the order of the stream
  std::unordered_map<std::string, size_t> open_request;  // by user: that which takes the next item
  std::vector<logs::Appended> appended;
  size_t waiting = 0;  // answers
  std::string failure;
  bool fenced = false;
};

RedisRouter::RedisRouter(runtime::Core& core, redis::Client& client, logs::RedisLogs& logs, std::string stream,
                         std::string node, std::string start, Appended appended)
    : core_(core),
      client_(client),
      logs_(logs),
      stream_(std::move(stream)),
      node_(node),
      start_(std::move(start)),
      routed_key_(StreamKey(stream_, "routed")),
      appended_(std::move(appended)),
      lease_(core, client, StreamKey(stream_, "lease"), std::move(node), *this) {}

void RedisRouter::OnLease(uint64_t fence) {
  ++term_;
  fence_ = fence;
  failures_ = 0;
  TakeOver();
}

void RedisRouter::OnLeaseLost() {
  ++term_;
  if (blocking_ != 0) client_.CancelBlocking(std::exchange(blocking_, 0));
}

void RedisRouter::RouteAgain() {
  again_ = true;
  if (!lease_.held()) return;
  ++term_;
  if (blocking_ != 0) client_.CancelBlocking(std::exchange(blocking_, 0));
  TakeOver();
}

void RedisRouter::Fail(std::string_view what, const Result<RespReply>& reply) {
  Retry(what, reply.ok() ? std::string_view(reply->text) : reply.status().message());
}

void RedisRouter::Retry(std::string_view what, std::string_view why) {
  const uint64_t term = ++term_;  // nothing of this attempt goes on
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
  logs_.RaiseFence(stream_, fence_, [this, term = term_](const Status& raised) {
    if (Stale(term)) return;
    if (!raised.ok()) return Retry("fence", raised.message());
    MakeGroup([this, term](std::string_view failure) {
      if (Stale(term)) return;
      if (!failure.empty()) return Retry("group", failure);
      ClaimPending("0-0");
    });
  });
}

// Where the group was made before, it goes on; where it has vanished, it begins after the last entry it had finished.
void RedisRouter::MakeGroup(Made then) {
  client_.Call(routed_key_, {"GET", routed_key_}, [this, then = std::move(then)](const Result<RespReply>& routed_to) {
    if (!routed_to.ok()) return then(routed_to.status().message());
    if (routed_to->is_error()) return then(routed_to->text);
    MakeGroupAt(!routed_to->text.empty() ? routed_to->text : prepared_ ? "0" : start_, then);
  });
}

void RedisRouter::MakeGroupAt(const std::string& position, Made then) {
  auto made = [this, position, then = std::move(then)](const Result<RespReply>& reply) {
    if (!reply.ok()) return then(reply.status().message());
    if (reply->is_error() && !reply->text.starts_with("BUSYGROUP")) return then(reply->text);
    if (!reply->is_error()) {
      base::Log(base::Level::kInfo, "group_made", {{"stream", stream_}, {"start", position}});
    }
    prepared_ = true;
    then({});
  };
  client_.Call(stream_, {"XGROUP", "CREATE", stream_, std::string(notifier::kGroup), position, "MKSTREAM"},
               std::move(made));
}

// Whoever had them: the fence has made sure that nobody else is at work.
void RedisRouter::ClaimPending(std::string cursor) {
  auto claimed = [this, term = term_](const Result<RespReply>& reply) {
    if (Stale(term)) return;
    if (!reply.ok() || reply->is_error() || reply->elements.size() < 2) return Fail("claim", reply);
    const std::string following = reply->elements[0].text;
    std::vector<StreamEntry> entries = EntriesOf(reply->elements[1]);
    if (reply->elements.size() > 2) notifier::taken_away.Add(static_cast<int64_t>(reply->elements[2].elements.size()));
    Route(std::move(entries), [this, following] {
      if (following != "0-0") return ClaimPending(following);
      if (!std::exchange(again_, false)) return ReadNew();
      const int64_t from_ms = std::max<int64_t>(core_.clock().NowMs() - kAgainMs, 0);
      RouteRecent(std::to_string(from_ms));
    });
  };
  client_.Call(
      stream_,
      {"XAUTOCLAIM", stream_, std::string(notifier::kGroup), node_, "0", cursor, "COUNT", std::to_string(kBatch)},
      std::move(claimed), {.patience_ms = kPatienceMs});
}

void RedisRouter::RouteRecent(std::string from) {
  auto read = [this, term = term_](const Result<RespReply>& reply) {
    if (Stale(term)) return;
    if (!reply.ok() || reply->is_error()) {
      again_ = true;
      return Fail("again", reply);
    }
    std::vector<StreamEntry> entries = EntriesOf(*reply);
    if (entries.empty()) return ReadNew();
    const std::string following = "(" + entries.back().id.ToString();
    Route(std::move(entries), [this, following] { RouteRecent(following); });
  };
  client_.Call(stream_, {"XRANGE", stream_, std::move(from), "+", "COUNT", std::to_string(kBatch)}, std::move(read),
               {.patience_ms = kPatienceMs});
}

void RedisRouter::ReadNew() {
  auto read = [this, term = term_](const Result<RespReply>& reply) {
    if (Stale(term)) return;
    blocking_ = 0;
    if (!reply.ok() || reply->is_error()) return Fail("read", reply);
    failures_ = 0;
    const RespReply* list = ListOf(*reply);
    Route(list == nullptr ? std::vector<StreamEntry>() : EntriesOf(*list), [this] { ReadNew(); });
  };
  blocking_ = client_.CallBlocking(stream_,
                                   {"XREADGROUP", "GROUP", std::string(notifier::kGroup), node_, "COUNT",
                                    std::to_string(kBatch), "BLOCK", std::to_string(kBlockMs), "STREAMS", stream_, ">"},
                                   std::move(read), {.patience_ms = kBlockMs + kPatienceMs});
}

// The entries' views lie in the reply that is being answered: they are read here, before anything returns.
void RedisRouter::Route(std::vector<StreamEntry> entries, Next next) {
  if (entries.empty()) return next();
  auto batch = std::make_shared<Batch>();
  batch->term = term_;
  batch->next = std::move(next);
  batch->waiting = 1;  // this function's own share
  for (const StreamEntry& entry : entries) {
    if (entry.deleted) {
      notifier::taken_away.Add();
      continue;
    }
    wire::UnknownPriority unknown = wire::UnknownPriority::kNo;
    auto notification = wire::FromFields(entry.fields, &unknown);
    if (!notification.ok()) {
      AddDeadLetter(batch, entry, std::string(notification.status().message()));
      continue;
    }
    if (unknown == wire::UnknownPriority::kYes) notifier::unknown_priorities.Add();
    Take(*batch, entry, *notification);
  }
  for (StreamEntry& entry : entries) entry.fields.clear();
  batch->entries = std::move(entries);
  Append(batch);
  if (--batch->waiting == 0) Finish(batch);
}

void RedisRouter::Take(Batch& batch, const StreamEntry& entry, const model::Notification& notification) {
  const std::string nid = notifier::NidOf(stream_, entry.id);
  const std::string json = notifier::RenderItem(nid, entry.id.ms, notification);
  for (const std::string& user : notification.users) {
    auto [found, is_new] = batch.open_request.try_emplace(user, batch.requests.size());
    if (is_new) batch.requests.push_back({.user = user, .stream = stream_, .fence = fence_, .items = {}});
    batch.requests[found->second].items.push_back({entry.id, nid, notification.priority, json});
  }
}

// All of them at once: each is of another user, so their order means nothing.
void RedisRouter::Append(const std::shared_ptr<Batch>& batch) {
  batch->waiting += batch->requests.size();
  for (logs::AppendRequest& request : batch->requests) {
    logs_.Append(std::move(request), [this, batch](Result<logs::Appended> appended) {
      if (appended.ok()) {
        batch->appended.push_back(std::move(*appended));
      } else {
        batch->failure = appended.status().message();
        batch->fenced |= appended.status().code() == Code::kConflict;
      }
      if (--batch->waiting == 0) Finish(batch);
    });
  }
  batch->requests.clear();
}

void RedisRouter::Finish(const std::shared_ptr<Batch>& batch) {
  // What was appended is in the logs, whatever became of us: their followers may know.
  if (!batch->appended.empty()) appended_(std::move(batch->appended));
  if (Stale(batch->term)) return;
  if (!batch->failure.empty()) return Retry(batch->fenced ? "fenced" : "append", batch->failure);
  notifier::routed.Add(static_cast<int64_t>(batch->entries.size()));
  redis::Arguments ack = {"XACK", stream_, std::string(notifier::kGroup)};
  for (const StreamEntry& entry : batch->entries) ack.push_back(entry.id.ToString());
  client_.Call(stream_, std::move(ack), [this, term = term_](const Result<RespReply>& reply) {
    if (!Stale(term) && (!reply.ok() || reply->is_error())) Fail("ack", reply);
  });
  client_.Call(routed_key_, {"SET", routed_key_, batch->entries.back().id.ToString()}, [](const Result<RespReply>&) {});
  batch->next();
}

// Appended before the entry is acknowledged, so at worst it is there twice, with the same tocsin_id.
void RedisRouter::AddDeadLetter(const std::shared_ptr<Batch>& batch, const StreamEntry& entry, std::string reason) {
  const std::string dead = stream_ + std::string(notifier::kDeadSuffix), id = entry.id.ToString();
  redis::Arguments command = {"XADD",
                              dead,
                              "*",
                              "tocsin_reason",
                              reason,
                              "tocsin_stream",
                              stream_,
                              "tocsin_id",
                              id,
                              "tocsin_group",
                              std::string(notifier::kGroup),
                              "tocsin_attempts",
                              "1"};
  for (const auto& [name, value] : entry.fields) {
    command.emplace_back(name);
    command.emplace_back(value);
  }
  ++batch->waiting;
  auto added = [this, batch, id, reason](const Result<RespReply>& reply) {
    if (reply.ok() && !reply->is_error()) {
      notifier::dead_lettered.Add();
      base::Log(base::Level::kWarn, "dead_lettered",
                {{"stream", stream_}, {"id", id}, {"group", notifier::kGroup}, {"attempts", 1}, {"reason", reason}});
    } else {
      batch->failure = reply.ok() ? reply->text : std::string(reply.status().message());
    }
    if (--batch->waiting == 0) Finish(batch);
  };
  client_.Call(dead, std::move(command), std::move(added), {.patience_ms = kPatienceMs});
}

}  // namespace tocsin::nodes
