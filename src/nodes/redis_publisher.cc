#include "nodes/redis_publisher.h"

#include <algorithm>
#include <memory>
#include <utility>

#include "base/check.h"
#include "base/log.h"
#include "base/metrics.h"
#include "model/limits.h"
#include "nodes/keys.h"
#include "notifier/router.h"

namespace tocsin::nodes {
namespace {

using base::Code;
using base::Result;
using base::Status;
using model::EntryId;
using notifier::ScheduledState;
using wire::RespReply;

constexpr int64_t kPatienceMs = 5'000;
constexpr int64_t kWaitMs = 1'000;     // that replicas have
constexpr size_t kMaxQueued = 65'536;  // publishes that wait for the server: 503
constexpr size_t kCheckAtOnce = 1'000;

base::Counter lost("tocsin_confirmed_entries_lost_total",
                   "Ingest entries that were confirmed here and that a failover has lost");

// Appends all entries or none. KEYS: stream, and for a request with an Idempotency-Key what that was answered. ARGV:
// fingerprint of the request, ms to remember it; for each entry the number of its words, and those. Answers the ids.
const redis::Script& AppendScript() {
  static const redis::Script script(R"lua(
if redis.replicate_commands then redis.replicate_commands() end
local earlier = KEYS[2] and redis.call('GET', KEYS[2])
local ids, at = {}, 3
if earlier then
  if string.sub(earlier, 1, #ARGV[1]) ~= ARGV[1] then return {err = 'OTHERBODY'} end
  for id in string.gmatch(string.sub(earlier, #ARGV[1] + 1), '%S+') do ids[#ids + 1] = id end
  return ids
end
while at <= #ARGV do
  local words = tonumber(ARGV[at])
  ids[#ids + 1] = redis.call('XADD', KEYS[1], '*', unpack(ARGV, at + 1, at + words))
  at = at + 1 + words
end
if KEYS[2] then redis.call('SET', KEYS[2], ARGV[1] .. table.concat(ids, ' '), 'PX', ARGV[2]) end
return ids
)lua");
  return script;
}

// Answers which of the entries ARGV are not in the stream KEYS[1].
const redis::Script& MissingScript() {
  static const redis::Script script(R"lua(
local missing = {}
for _, id in ipairs(ARGV) do
  if #redis.call('XRANGE', KEYS[1], id, id) == 0 then missing[#missing + 1] = id end
end
return missing
)lua");
  return script;
}

// KEYS: stream. ARGV: id, group. Answers the entry's fields, whether it is pending in the group, and what the group was
// given last; nothing where there is no such entry.
const redis::Script& FindScript() {
  static const redis::Script script(R"lua(
local entry = redis.call('XRANGE', KEYS[1], ARGV[1], ARGV[1])[1]
if not entry then return {} end
for _, flat in ipairs(redis.call('XINFO', 'GROUPS', KEYS[1])) do
  local group = {}
  for i = 1, #flat, 2 do group[flat[i]] = flat[i + 1] end
  if group['name'] == ARGV[2] then
    local pending = redis.call('XPENDING', KEYS[1], ARGV[2], ARGV[1], ARGV[1], 1)
    return {entry[2], #pending, group['last-delivered-id']}
  end
end
return {entry[2], 0, '0-0'}
)lua");
  return script;
}

// What the server said instead of ids.
Status FailureOf(const RespReply& reply) {
  const std::string_view text = reply.text;
  const auto says = [text](std::string_view what) { return text.find(what) != text.npos; };
  // Before Redis 7 the error within a script stands in the middle of the script's own.
  if (text.starts_with("OOM") || says("-OOM ") || says(" OOM command not allowed")) {
    return Status(Code::kNoSpace, "the Redis store is out of memory (maxmemory); nothing was stored");
  }
  if (text.starts_with("OTHERBODY")) return Status(Code::kConflict, std::string(notifier::kOtherBody));
  if (says("WRONGTYPE Operation")) {
    return Status(Code::kInternal,
                  "the key of the ingest stream holds something else in this Redis: rename one of them");
  }
  // NOREPLICAS, MISCONF, READONLY, ...: it cannot confirm now.
  return Status(Code::kUnavailable, "the Redis store refuses: " + reply.text);
}

}  // namespace

RedisPublisher::RedisPublisher(runtime::Core& core, redis::Client& client, const StoreWatch& watch,
                               std::vector<std::string> streams, std::vector<std::string> all, int wait_replicas)
    : core_(core),
      client_(client),
      watch_(watch),
      streams_(std::move(streams)),
      all_(all),
      schedules_(client, std::move(all)),
      wait_replicas_(wait_replicas),
      confirmed_(streams_.size()) {
  CHECK(!streams_.empty());
}

void RedisPublisher::Publish(notifier::PublishRequest request, Then then) {
  if (Status status = health(); !status.ok()) return then(status);
  if (queued_.load(std::memory_order_relaxed) >= kMaxQueued) {
    return then(Status(Code::kUnavailable, "too many publishes wait for the Redis store"));
  }
  queued_.fetch_add(1, std::memory_order_relaxed);
  core_.Post([this, request = std::move(request), then = std::move(then)]() mutable {
    Send(std::move(request), [this, then = std::move(then)](const Result<std::vector<std::string>>& nids) {
      queued_.fetch_sub(1, std::memory_order_relaxed);
      then(nids);
    });
  });
}

size_t RedisPublisher::PartitionOf(const model::StreamFields& entry) const {
  if (streams_.size() == 1) return 0;
  for (const auto& [name, value] : entry) {
    if (name == "user_id") return redis::SlotOf(value) % streams_.size();
  }
  return 0;  // many recipients: any partition will do, and the same one keeps their order among themselves
}

// By partition, each in one step; the ids come together in the order of the entries.
void RedisPublisher::Send(notifier::PublishRequest asked, Then then) {
  std::vector<model::StreamFields>& entries = asked.entries;
  struct Request {
    std::vector<std::string> nids;
    Status failure;
    Then then;
    size_t open = 1;  // answers, and this function's own share
    void Close() {
      if (--open == 0) failure.ok() ? then(std::move(nids)) : then(failure);
    }
  };
  auto request = std::make_shared<Request>();
  request->nids.resize(entries.size());
  request->then = std::move(then);
  std::vector<std::vector<size_t>> by_partition(streams_.size());
  for (size_t i = 0; i < entries.size(); ++i) {
    by_partition[PartitionOf(entries[asked.key.given() ? 0 : i])].push_back(i);
  }
  for (size_t partition = 0; partition < streams_.size(); ++partition) {
    std::vector<size_t>& chosen = by_partition[partition];
    if (chosen.empty()) continue;
    redis::Arguments words;
    for (size_t i : chosen) {
      words.push_back(std::to_string(2 * entries[i].size()));
      for (auto& [name, value] : entries[i]) {
        words.push_back(std::move(name));
        words.push_back(std::move(value));
      }
    }
    auto answered = [this, request, partition, chosen](const Result<RespReply>& reply) {
      const bool one = reply.ok() && reply->elements.empty() && chosen.size() == 1;
      if (!reply.ok() || reply->is_error() || (!one && reply->elements.size() != chosen.size())) {
        request->failure = reply.ok() ? FailureOf(*reply) : reply.status();
        return request->Close();
      }
      std::vector<std::string> ids;
      if (one) ids.push_back(reply->text);
      for (const RespReply& id : reply->elements) ids.push_back(id.text);
      for (size_t i = 0; i < chosen.size(); ++i) {
        const auto id = EntryId::Parse(ids[i]);
        if (id) request->nids[chosen[i]] = notifier::NidOf(streams_[partition], *id);
      }
      Remember(partition, ids);
      request->Close();
    };
    ++request->open;
    Append(partition, chosen.size(), std::move(words), asked.key, std::move(answered));
  }
  request->Close();
}

void RedisPublisher::Append(size_t partition, size_t entries, redis::Arguments words,
                            const notifier::IdempotencyKey& key, Answered then) {
  const std::string& stream = streams_[partition];
  if (wait_replicas_ > 0) {
    // Both have to answer, the replicas' word behind the entry's.
    auto appended = std::make_shared<Result<RespReply>>(Status(Code::kUnavailable, "not answered"));
    WaitSoon(partition, [appended, then](const Status& replicated) {
      then(appended->ok() && !(*appended)->is_error() && !replicated.ok() ? Result<RespReply>(replicated) : *appended);
    });
    then = [appended](const Result<RespReply>& reply) { *appended = reply; };
  }
  if (entries > 1 || key.given()) {
    std::vector<std::string> keys = {stream};
    if (key.given()) {
      const std::string producer = std::to_string(key.producer.size()) + ":" + key.producer;
      keys.push_back(StreamKey(stream, "idempotency:" + producer + ":" + key.key));
    }
    words.insert(words.begin(), {key.fingerprint, std::to_string(model::kIdempotencyMs)});
    client_.Eval(AppendScript(), std::move(keys), std::move(words), std::move(then), {.patience_ms = kPatienceMs});
    return;
  }
  redis::Arguments command = {"XADD", stream, "*"};
  command.insert(command.end(), std::make_move_iterator(words.begin() + 1), std::make_move_iterator(words.end()));
  client_.Call(stream, std::move(command), std::move(then), {.patience_ms = kPatienceMs});
}

// One WAIT for all that this turn appends to a server: it is sent behind them, on the same connection. It holds up
// everything else there, for as long as a replica is away: never more than one of them at a time.
void RedisPublisher::WaitSoon(size_t partition, std::function<void(const Status&)> then) {
  const std::string address = client_.AddressOf(streams_[partition]);
  Waiting& waiting = waiting_[address];
  waiting.partition = partition;
  waiting.thens.push_back(std::move(then));
  if (waiting.thens.size() == 1 && !waiting.under_way) core_.Post([this, address] { Wait(address); });
}

void RedisPublisher::Wait(const std::string& address) {
  Waiting& at = waiting_[address];
  at.under_way = true;
  auto waiting = std::make_shared<std::vector<std::function<void(const Status&)>>>(std::exchange(at.thens, {}));
  const std::string& stream = streams_[at.partition];
  auto answered = [this, address, waiting](const Result<RespReply>& reply) {
    Status status = base::Ok();
    if (!reply.ok()) {
      status = reply.status();
    } else if (reply->is_error() || reply->integer < wait_replicas_) {
      status = Status(Code::kUnavailable, "stored, but not by the " + std::to_string(wait_replicas_) +
                                              " replicas that wait_replicas asks for: " +
                                              (reply->is_error() ? reply->text : std::to_string(reply->integer)));
    }
    for (const auto& then : *waiting) then(status);
    waiting_[address].under_way = false;
    if (!waiting_[address].thens.empty()) Wait(address);
  };
  client_.Call(stream, {"WAIT", std::to_string(wait_replicas_), std::to_string(kWaitMs)}, std::move(answered),
               {.patience_ms = kPatienceMs + kWaitMs});
}

void RedisPublisher::Remember(size_t partition, const std::vector<std::string>& ids) {
  std::deque<Confirmed>& confirmed = confirmed_[partition];
  const int64_t now_ms = core_.clock().MonotonicUs() / 1000;
  for (const std::string& id : ids) {
    if (auto parsed = EntryId::Parse(id)) confirmed.push_back({*parsed, now_ms});
  }
  while (!confirmed.empty() && (confirmed.size() > kMaxRemembered || confirmed.front().at_ms < now_ms - kRememberMs)) {
    confirmed.pop_front();
  }
}

// The entry, and whether it waits for the router: unread by its group, or pending.
void RedisPublisher::Find(const std::string& nid, Found then) {
  const auto parts = notifier::ParseNid(nid);
  const bool ours = parts && std::find(all_.begin(), all_.end(), parts->stream) != all_.end();
  if (!ours) return then(std::optional<notifier::AcceptedEntry>());
  core_.Post([this, nid, stream = std::string(parts->stream), id = parts->id, then = std::move(then)] {
    auto looked = [this, nid, stream, id, then](const Result<RespReply>& reply) {
      if (!reply.ok()) return then(reply.status());
      if (reply->is_error()) return then(FailureOf(*reply));
      notifier::AcceptedEntry entry{.stream = stream, .id = id, .fields = {}, .routed = true};
      if (reply->elements.size() == 3) {
        const bool pending = reply->elements[1].integer != 0;
        entry.routed = !pending && id <= EntryId::Parse(reply->elements[2].text).value_or(EntryId{});
        const std::vector<RespReply>& flat = reply->elements[0].elements;
        for (size_t i = 0; i + 1 < flat.size(); i += 2) entry.fields.emplace_back(flat[i].text, flat[i + 1].text);
      }
      schedules_.Find(nid,
                      [entry = std::move(entry), then](const Result<std::optional<ScheduledState>>& found) mutable {
                        if (!found.ok()) return then(found.status());
                        if (found->has_value()) {
                          entry.scheduled_ms = (*found)->due_ms;
                          entry.cancelled = (*found)->cancelled;
                          entry.held = (*found)->held;
                          if (entry.fields.empty()) entry.fields = (*found)->fields;
                        }
                        if (entry.fields.empty()) return then(std::optional<notifier::AcceptedEntry>());
                        then(std::optional(std::move(entry)));
                      });
    };
    client_.Eval(FindScript(), {stream}, {id.ToString(), std::string(notifier::kGroup)}, std::move(looked),
                 {.patience_ms = kPatienceMs});
  });
}

void RedisPublisher::ListScheduled(notifier::SchedulePlace after, size_t limit, Listed then) {
  core_.Post([this, after = std::move(after), limit, then = std::move(then)]() mutable {
    schedules_.List(std::move(after), limit, std::move(then));
  });
}

void RedisPublisher::CancelScheduled(const std::string& nid, Cancelled then) {
  // Not there yet is not the same as not there.
  auto looked = [then](const Result<std::optional<notifier::AcceptedEntry>>& found) {
    if (!found.ok()) return then(found.status());
    if (!found->has_value() || (*found)->cancelled) return then(false);
    if ((*found)->routed && !(*found)->scheduled_ms) return then(false);
    then(Status(Code::kUnavailable, "the notification is on its way to the schedule; try again in a moment"));
  };
  core_.Post([this, nid, then, looked] {
    schedules_.Cancel(nid, [this, nid, then, looked](const Result<bool>& cancelled) {
      if (!cancelled.ok() || *cancelled) return then(cancelled);
      Find(nid, looked);
    });
  });
}

void RedisPublisher::CountLost() {
  for (size_t partition = 0; partition < streams_.size(); ++partition) {
    Check(partition, std::exchange(confirmed_[partition], {}), {});
  }
}

// Looks the ids up, kCheckAtOnce at a time.
void RedisPublisher::Check(size_t partition, std::deque<Confirmed> confirmed, std::vector<std::string> missing) {
  const std::string& stream = streams_[partition];
  if (confirmed.empty()) {
    if (missing.empty()) return;
    lost.Add(static_cast<int64_t>(missing.size()));
    base::Log(base::Level::kError, "confirmed_entries_lost",
              {{"stream", stream},
               {"entries", missing.size()},
               {"first", missing.front()},
               {"last", missing.back()},
               {"mend", "publish them again; raise min-replicas-to-write to lose none in a failover"}});
    return;
  }
  const auto size = static_cast<ptrdiff_t>(std::min(confirmed.size(), kCheckAtOnce));
  redis::Arguments ids;
  for (auto one = confirmed.begin(); one != confirmed.begin() + size; ++one) ids.push_back(one->id.ToString());
  confirmed.erase(confirmed.begin(), confirmed.begin() + size);
  auto looked = [this, partition, confirmed = std::move(confirmed),
                 missing = std::move(missing)](const Result<RespReply>& reply) mutable {
    if (!reply.ok() || reply->is_error()) {
      base::Log(base::Level::kWarn, "confirmed_entries_unknown", {{"stream", streams_[partition]}});
      return;
    }
    for (const RespReply& id : reply->elements) missing.push_back(id.text);
    Check(partition, std::move(confirmed), std::move(missing));
  };
  client_.Eval(MissingScript(), {stream}, std::move(ids), std::move(looked), {.patience_ms = kPatienceMs});
}

}  // namespace tocsin::nodes
