#include "nodes/store_watch.h"

#include <algorithm>
#include <utility>

#include "base/log.h"
#include "base/metrics.h"

namespace tocsin::nodes {
namespace {

using base::Code;
using base::Result;
using base::Status;
using redis::Client;
using wire::RespReply;

constexpr int64_t kRetryMs = 300;
// By how much ids go above our clock after a loss: above those of the other nodes too.
constexpr int64_t kClockMarginMs = 10'000;
// By how much a mark goes above the one before, where the clock has not passed that yet.
constexpr int64_t kMarkStepMs = 1'000;

base::Gauge connected_gauge("tocsin_store_connected", "1 while the Redis store answers");
base::Counter losses("tocsin_store_losses_total", "Failovers and restarts after which entries may be missing");

// Notes which primary a bucket is on. KEYS: bucket. ARGV: address, replid, the replid it followed before, whether a
// restart at the same address may have lost entries, whether slots may move, id of a loss mark (ms), how far a mark
// goes above ids that are ahead of the clock (ms), the process (run_id). Answers {epoch, loss mark, whether it was set
// now}.
const redis::Script& SettleScript() {
  static const redis::Script script(R"lua(
if redis.replicate_commands then redis.replicate_commands() end
local was = redis.call('HMGET', KEYS[1], 'epoch', 'address', 'replid', 'lost', 'floor', 'restart', 'run')
if not was[1] then return {err = 'NOEPOCH'} end
local lost = 0
if was[3] ~= ARGV[2] or was[7] ~= ARGV[8] then
  if was[3] and was[3] == ARGV[3] then
    lost = 1  -- it followed that one: promoted, whatever its address
  elseif was[3] and ARGV[8] ~= '' and was[7] == ARGV[8] and not string.find(ARGV[3], '[^0]') then
    lost = 0  -- the same process, and no replica since: its first replica has come, which makes a new id
  elseif was[3] and was[2] == ARGV[1] then
    if ARGV[4] == '1' or was[6] == '1' then lost = 1 end
  elseif was[3] and ARGV[5] == '0' then
    lost = 1
  end
  redis.call('HSET', KEYS[1], 'address', ARGV[1], 'replid', ARGV[2], 'run', ARGV[8])
  if lost == 1 then
    local mark = math.max(tonumber(ARGV[6]), was[5] and tonumber(was[5]) + tonumber(ARGV[7]) or 0)
    was[4] = string.format('%.0f-0', mark)
    redis.call('HSET', KEYS[1], 'lost', was[4], 'floor', string.format('%.0f', mark))
  end
end
if was[6] ~= ARGV[4] then redis.call('HSET', KEYS[1], 'restart', ARGV[4]) end
return {was[1], was[4] or '', lost}
)lua");
  return script;
}

std::string LineOf(std::string_view text, std::string_view name) {
  for (size_t at = 0; at < text.size();) {
    const size_t end = std::min(text.find('\n', at), text.size());
    std::string_view line = text.substr(at, end - at);
    at = end + 1;
    if (!line.starts_with(name) || line.size() <= name.size() || line[name.size()] != ':') continue;
    line.remove_prefix(name.size() + 1);
    if (line.ends_with('\r')) line.remove_suffix(1);
    return std::string(line);
  }
  return {};
}

}  // namespace

StoreWatch::StoreWatch(runtime::Core& core, redis::Deployment::Kind kind, Events events, DurabilityOptions durability)
    : core_(core), kind_(kind), events_(std::move(events)), durability_(durability) {
  verdict_.store(std::make_shared<const Verdict>());
}

template <typename Change>
void StoreWatch::Update(Change change) {
  auto next = std::make_shared<Verdict>(*verdict());
  change(*next);
  verdict_.store(std::move(next), std::memory_order_release);
}

Status StoreWatch::health() const {
  const auto now = verdict();
  if (now->stopped) return Status(Code::kUnavailable, "this node is going away");
  if (!now->connected) {
    return Status(Code::kUnavailable,
                  "the Redis store does not answer" + (now->lost_why.empty() ? std::string() : ": " + now->lost_why));
  }
  if (!now->assessed) return Status(Code::kUnavailable, "the Redis store was not looked at yet");
  if (!now->durability.refusal.empty()) return Status(Code::kUnavailable, now->durability.refusal);
  return base::Ok();
}

std::string StoreWatch::level() const { return std::string(LevelName(verdict()->durability.level)); }
std::string StoreWatch::why() const { return verdict()->durability.why; }

void StoreWatch::OnPrimary(const std::string& address, const std::string& run_id) {
  base::Log(base::Level::kInfo, "store_primary", {{"address", address}, {"run_id", run_id}});
  connected_gauge.Set(client_->connected() ? 1 : 0);
  Update([this](Verdict& verdict) { verdict.connected = client_->connected() || verdict.connected; });
  LookSoon();
}

void StoreWatch::OnLost(const std::string& address, const Status& why) {
  base::Log(base::Level::kWarn, "store_lost", {{"address", address}, {"why", why.message()}});
  connected_gauge.Set(0);
  Update([&why](Verdict& verdict) {
    verdict.connected = false;
    verdict.lost_why = why.message();
  });
}

void StoreWatch::Stop() {
  stopped_ = true;
  Update([](Verdict& verdict) { verdict.stopped = true; });
}

void StoreWatch::LookSoon() {
  if (stopped_) return;
  if (looking_) {
    again_ = true;
    return;
  }
  looking_ = true;
  core_.Post([this] { Look(); });
}

void StoreWatch::Tick() {
  if (client_->connected() && !verdict()->connected) {
    connected_gauge.Set(1);
    Update([](Verdict& verdict) { verdict.connected = true; });
  }
  if (core_.clock().MonotonicUs() >= next_look_us_) LookSoon();
}

void StoreWatch::Look() {
  if (stopped_) return;
  again_ = false;
  next_look_us_ = core_.clock().MonotonicUs() + kLookEveryMs * 1000;
  Gather(0, std::make_shared<std::vector<Primary>>());
}

void StoreWatch::Failed() {
  looking_ = false;
  if (stopped_) return;
  core_.After(kRetryMs, [this] { LookSoon(); });
}

// Asks one command after the other, every primary each.
void StoreWatch::Gather(size_t command, std::shared_ptr<std::vector<Primary>> primaries) {
  const auto commands = FactCommands();
  client_->CallEveryPrimary(
      commands[command], [this, command, primaries](const Result<std::vector<Client::PrimaryReply>>& all) {
        if (stopped_ || !all.ok()) {
          if (!verdict()->connected) {
            Update([&all](Verdict& verdict) { verdict.lost_why = all.status().message(); });
          }
          return Failed();
        }
        for (const Client::PrimaryReply& one : *all) {
          auto found = std::find_if(primaries->begin(), primaries->end(),
                                    [&one](const Primary& primary) { return primary.facts.address == one.address; });
          if (found == primaries->end()) {
            found = primaries->insert(primaries->end(), Primary{});
            found->facts.address = one.address;
          }
          Learn(found->facts, one.reply);
          if (std::string replid = LineOf(one.reply.text, "master_replid"); !replid.empty()) {
            found->replid = std::move(replid);
            found->run_id = LineOf(one.reply.text, "run_id");
            found->replid2 = LineOf(one.reply.text, "master_replid2");
          }
        }
        if (command + 1 < FactCommands().size()) return Gather(command + 1, primaries);
        Assessed(*primaries);
      });
}

void StoreWatch::Assessed(const std::vector<Primary>& primaries) {
  std::vector<ServerFacts> facts;
  for (const Primary& primary : primaries) facts.push_back(primary.facts);
  const Durability durability = Assess(facts, durability_);
  const auto before = verdict();
  if (!before->assessed || before->durability.level != durability.level ||
      before->durability.refusal != durability.refusal) {
    base::Log(durability.refusal.empty() ? base::Level::kInfo : base::Level::kError, "store_durability",
              {{"level", LevelName(durability.level)}, {"why", durability.why}, {"refusal", durability.refusal}});
  }
  Update([&durability](Verdict& verdict) {
    verdict.durability = durability;
    verdict.assessed = true;
  });
  events_.assessed(durability);
  if (!durability.refusal.empty()) {
    looking_ = false;
    return;
  }
  // Records first: a bucket without one has no epoch yet.
  events_.prepare([this, primaries](const Status& prepared) {
    if (stopped_ || !prepared.ok()) return Failed();
    Settle(primaries);
  });
}

void StoreWatch::Settle(const std::vector<Primary>& primaries) {
  changed_.reset();
  unsettled_ = false;
  // Ends when the last bucket has answered.
  std::shared_ptr<void> round(nullptr, [this](void*) {
    looking_ = false;
    if (stopped_) return;
    if (changed_.any()) {
      losses.Add();
      base::Log(base::Level::kWarn, "store_lost_entries", {{"buckets", changed_.count()}});
      events_.lost(changed_);
    }
    if (unsettled_) return Failed();
    if (again_) LookSoon();
  });
  for (int bucket = 0; bucket < logs::kBuckets; ++bucket) {
    const std::string address = client_->AddressOf(logs::BucketKey(bucket));
    const auto primary = std::find_if(primaries.begin(), primaries.end(),
                                      [&address](const Primary& one) { return one.facts.address == address; });
    if (primary == primaries.end()) {
      unsettled_ = true;  // it has moved meanwhile
    } else {
      SettleBucket(bucket, *primary, round);
    }
  }
}

void StoreWatch::SettleBucket(int bucket, const Primary& primary, std::shared_ptr<void> round) {
  const bool sync = verdict()->durability.level == Level::kSync;
  const bool slots_move = kind_ == redis::Deployment::Kind::kCluster;
  const int64_t mark_ms = core_.clock().NowMs() + kClockMarginMs;
  client_->Eval(SettleScript(), {logs::BucketKey(bucket)},
                {primary.facts.address, primary.replid, primary.replid2, sync ? "0" : "1", slots_move ? "1" : "0",
                 std::to_string(mark_ms), std::to_string(kMarkStepMs), primary.run_id},
                [this, bucket, round](const Result<RespReply>& reply) {
                  if (stopped_) return;
                  if (!reply.ok() || reply->is_error() || reply->elements.size() != 3) {
                    unsettled_ = true;
                    return;
                  }
                  const bool lost_now = reply->elements[2].integer != 0;
                  Known& known = known_[static_cast<size_t>(bucket)];
                  Known now{reply->elements[0].text, reply->elements[1].text};
                  // Old news to a node that has just started: it has nobody to tell.
                  if (lost_now || (!known.epoch.empty() && (known.epoch != now.epoch || known.lost != now.lost))) {
                    changed_.set(static_cast<size_t>(bucket));
                  }
                  known = std::move(now);
                });
}

}  // namespace tocsin::nodes
