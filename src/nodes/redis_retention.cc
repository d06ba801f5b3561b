#include "nodes/redis_retention.h"

#include <algorithm>
#include <utility>

#include "base/log.h"
#include "base/metrics.h"
#include "notifier/counters.h"
#include "notifier/dead_letters.h"
#include "notifier/router.h"

namespace tocsin::nodes {
namespace {

using base::Result;
using wire::RespReply;

constexpr int64_t kWarnEveryUs = 3'600'000'000;
constexpr int64_t kPieceMs = 10;  // between two pieces of one stream: others want to be answered too
constexpr int64_t kPatienceMs = 5'000;

// KEYS: stream. ARGV: the built-in group; the ms below which an entry is too old, how many entries, bytes, and bytes at
// most (each -1: no limit); whether what is needed goes too. Looks at five hundred entries.
// Answers {trimmed, of them needed, groups that needed them, more to do, entries that are held back}.
const redis::Script& KeepScript() {
  static const redis::Script script(R"lua(
if redis.replicate_commands then redis.replicate_commands() end
local key, own = KEYS[1], ARGV[1]
local cut_ms, most_entries, most_bytes, cap = tonumber(ARGV[2]), tonumber(ARGV[3]), tonumber(ARGV[4]), tonumber(ARGV[5])
if redis.call('TYPE', key).ok ~= 'stream' then return {0, 0, '', 0, 0} end

local function parts(id) return string.match(id, '^(%d+)%-(%d+)$') end
local function less(a, b)  -- by decimal text: an id may use 64 bits, which a number cannot hold
  local am, as = parts(a)
  local bm, bs = parts(b)
  if #am ~= #bm then return #am < #bm end
  if am ~= bm then return am < bm end
  if #as ~= #bs then return #as < #bs end
  return as < bs
end

-- The first entry that a group needs: all before it may go. read: everything up to that id was read and acknowledged.
local needs = {}
for _, flat in ipairs(redis.call('XINFO', 'GROUPS', key)) do
  local group = {}
  for i = 1, #flat, 2 do group[flat[i]] = flat[i + 1] end
  local need = {name = group['name'], read = group['last-delivered-id']}
  if group['pending'] > 0 then need.from = redis.call('XPENDING', key, group['name'])[2] end
  needs[#needs + 1] = need
end
local function needed_by(id, only)
  for _, need in ipairs(needs) do
    if (not only or need.name == only) and
       (less(need.read, id) or (need.from and not less(id, need.from))) then return need.name end
  end
end

local length = redis.call('XLEN', key)
local size = (most_bytes >= 0 or cap >= 0) and redis.call('MEMORY', 'USAGE', key) or 0
local first = redis.call('XRANGE', key, '-', '+', 'COUNT', 500)
local go, needed, names, held = 0, 0, {}, 0
for i, entry in ipairs(first) do
  local id = entry[1]
  local over_cap = cap >= 0 and size > cap
  local wanted = over_cap or tonumber((parts(id))) < cut_ms or (most_entries >= 0 and length - i >= most_entries) or
                 (most_bytes >= 0 and size > most_bytes)
  if not wanted then break end
  local group = needed_by(id)
  if group then
    if not (over_cap or ARGV[6] == '1') or needed_by(id, own) then
      held = length - i + 1
      if most_entries >= 0 then held = held - most_entries end
      names[group] = true
      break
    end
    needed = needed + 1
    names[group] = true
  end
  go = i
end
local more = 0
if go > 0 then
  local ms, seq = parts(first[go][1])
  redis.call('XTRIM', key, 'MINID', go < #first and first[go + 1][1] or string.format('%s-%.0f', ms, tonumber(seq) + 1))
  if go == #first then more = 1 end
end
local list = {}
for name in pairs(names) do list[#list + 1] = name end
return {go, needed, table.concat(list, ' '), more, held}
)lua");
  return script;
}

// KEYS: stream. ARGV: group, silence in ms. Answers how many consumers were removed.
const redis::Script& ForgetScript() {
  static const redis::Script script(R"lua(
if redis.replicate_commands then redis.replicate_commands() end
local removed = 0
if redis.call('EXISTS', KEYS[1]) == 0 then return 0 end
for _, flat in ipairs(redis.call('XINFO', 'CONSUMERS', KEYS[1], ARGV[1])) do
  local consumer = {}
  for i = 1, #flat, 2 do consumer[flat[i]] = flat[i + 1] end
  if consumer['pending'] == 0 and consumer['idle'] > tonumber(ARGV[2]) then
    redis.call('XGROUP', 'DELCONSUMER', KEYS[1], ARGV[1], consumer['name'])
    removed = removed + 1
  end
end
return removed
)lua");
  return script;
}

template <typename T>
std::string Limit(const std::optional<T>& limit) {
  return limit ? std::to_string(*limit) : "-1";
}

}  // namespace

RedisRetention::RedisRetention(runtime::Core& core, redis::Client& client, std::vector<notifier::RetentionRule> rules,
                               std::function<bool(const std::string& stream)> owns)
    : core_(core), client_(client), owns_(std::move(owns)) {
  for (notifier::RetentionRule& rule : rules) rules_.push_back({.rule = std::move(rule)});
}

void RedisRetention::Tick() {
  const int64_t now_us = core_.clock().MonotonicUs();
  if (now_us < next_us_) return;
  next_us_ = now_us + kEveryMs * 1000;
  Look();
}

void RedisRetention::Look() {
  for (Kept& kept : rules_) {
    if (kept.busy || !owns_(kept.rule.stream)) continue;
    kept.busy = true;
    Keep(kept);
    if (!kept.rule.stream.ends_with(notifier::kDeadSuffix)) ForgetConsumers(kept.rule.stream);
  }
}

void RedisRetention::Keep(Kept& kept) {
  const notifier::RetentionRule& rule = kept.rule;
  const int64_t cut_ms = rule.age_ms ? std::max<int64_t>(core_.clock().NowMs() - *rule.age_ms, 0) : -1;
  client_.Eval(
      KeepScript(), {rule.stream},
      {std::string(notifier::kGroup), std::to_string(cut_ms), Limit(rule.entries), Limit(rule.bytes),
       Limit(rule.cap_bytes), rule.needed == notifier::Needed::kDrop ? "1" : "0"},
      [this, &kept](const Result<RespReply>& reply) {
        if (reply.ok() && !reply->is_error() && reply->elements.size() == 5) return OnKept(kept, *reply);
        kept.busy = false;
        if (reply.ok()) {
          base::Log(base::Level::kWarn, "retention_failed", {{"stream", kept.rule.stream}, {"why", reply->text}});
        }
      },
      {.patience_ms = kPatienceMs});
}

void RedisRetention::OnKept(Kept& kept, const RespReply& reply) {
  const std::string& stream = kept.rule.stream;
  const int64_t gone = reply.elements[0].integer, needed = reply.elements[1].integer;
  const int64_t held = reply.elements[4].integer;
  const std::string& groups = reply.elements[2].text;
  notifier::trimmed_entries.Add(gone);
  notifier::trimmed_needed.Add(needed);
  if (needed > 0) {
    base::Log(base::Level::kWarn, "trimmed_needed_entries",
              {{"stream", stream}, {"entries", needed}, {"groups", groups}});
  }
  const int64_t now_us = core_.clock().MonotonicUs();
  // A group that is a little behind is at work.
  const auto allowed = static_cast<int64_t>(kept.rule.entries.value_or(1'000) / 4);
  if (held > allowed && now_us - kept.warned_us > kWarnEveryUs) {
    kept.warned_us = now_us;
    base::Log(base::Level::kWarn, "retention_held_back",
              {{"stream", stream},
               {"entries", held},
               {"groups", groups},
               {"mend", "have the groups read and acknowledge, or destroy those nobody needs"}});
  }
  if (reply.elements[3].integer == 0) {
    kept.busy = false;
    return;
  }
  core_.After(kPieceMs, [this, &kept] { Keep(kept); });
}

void RedisRetention::ForgetConsumers(const std::string& stream) {
  client_.Eval(
      ForgetScript(), {stream}, {std::string(notifier::kGroup), std::to_string(kSilentMs)},
      [stream](const Result<RespReply>& reply) {
        if (!reply.ok() || reply->is_error() || reply->integer == 0) return;
        base::Log(base::Level::kInfo, "consumers_removed", {{"stream", stream}, {"consumers", reply->integer}});
      });
}

}  // namespace tocsin::nodes
