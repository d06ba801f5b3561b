#include "nodes/redis_timers.h"

#include <algorithm>
#include <charconv>
#include <utility>

#include "base/log.h"
#include "model/bytes.h"
#include "nodes/keys.h"
#include "nodes/redis_scripts.h"
#include "notifier/router.h"

namespace tocsin::nodes {
namespace {

using base::Code;
using base::Result;
using base::Status;
using model::EntryId;
using notifier::Timer;
using redis::Script;
using wire::RespReply;

constexpr int64_t kPatienceMs = 5'000;
constexpr int64_t kFirstRetryMs = 50, kLongestRetryMs = 2'000;
constexpr size_t kRowHead = 12;  // when(8) weight(4)

Script TimerScript(std::string_view source) { return Script(std::string(scripts::redis_timers).append(source)); }

struct OwnerScripts {
  const Script put = TimerScript(scripts::redis_timers_put), take = TimerScript(scripts::redis_timers_take),
               finish = TimerScript(scripts::redis_timers_finish), again = TimerScript(scripts::redis_timers_again);
};
const OwnerScripts& Owners() {
  static const OwnerScripts scripts;
  return scripts;
}

uint64_t Number(std::string_view text) {
  uint64_t number = 0;
  std::from_chars(text.data(), text.data() + text.size(), number);
  return number;
}

std::string Big32(uint64_t value) {
  std::string bytes;
  model::PutBig64(bytes, std::min<uint64_t>(value, UINT32_MAX));
  return bytes.substr(4);
}

Status FailureOf(const Result<RespReply>& reply) {
  if (!reply.ok()) return reply.status();
  return Status(reply->text.starts_with("FENCED") ? Code::kConflict : Code::kUnavailable, reply->text);
}

bool Good(const Result<RespReply>& reply) { return reply.ok() && !reply->is_error(); }

}  // namespace

std::vector<std::string> TimerKeys(std::string_view stream, notifier::TimerKind kind) {
  std::vector<std::string> keys;
  const std::string room = std::string("timers:") + static_cast<char>(kind) + ":";
  for (const char* what : {"state", "due", "rows", "firing", "done", "fired", "held"}) {
    keys.push_back(StreamKey(stream, room + what));
  }
  return keys;
}

// Behind the id: nothing (the nid itself), 00 and a user, or 01 and any other name.
std::string TimerMember(std::string_view stream, EntryId order, std::string_view name) {
  std::string member;
  order.EncodeTo(member);
  const std::string nid = notifier::NidOf(stream, order);
  if (name == nid) return member;
  if (name.starts_with(nid) && name[nid.size()] == '\0') return member.append(name.substr(nid.size()));
  return member.append(1, '\1').append(name);
}

std::string NameOfMember(std::string_view stream, std::string_view member) {
  if (member.size() < EntryId::kEncodedSize) return {};
  const std::string_view rest = member.substr(EntryId::kEncodedSize);
  if (rest.starts_with('\1')) return std::string(rest.substr(1));
  return notifier::NidOf(stream, EntryId::Decode(member)).append(rest);
}

RedisTimers::RedisTimers(runtime::Core& core, redis::Client& client, const base::Clock& wall, std::string stream,
                         notifier::TimerKind kind, KeepFired keep, RedisTimerAction& action)
    : core_(core),
      client_(client),
      wall_(wall),
      stream_(std::move(stream)),
      keys_(TimerKeys(stream_, kind)),
      keep_(keep),
      action_(action) {}

void RedisTimers::Begin(uint64_t fence) {
  if (fence == fence_) return;
  fence_ = fence;
  ++term_;
  failures_ = 0;
  Turn();
}

void RedisTimers::End() {
  if (fence_ == 0) return;
  fence_ = 0;
  ++term_;
  asleep_ = false;
  action_.OnPending(-std::exchange(pending_, 0));
}

void RedisTimers::Again() {
  again_ = true;
  if (fence_ != 0 && asleep_) Turn();  // else when what is under way has ended: it must not come in between
}

void RedisTimers::Look() {
  if (fence_ != 0 && asleep_) Turn();
}

void RedisTimers::Put(const std::vector<Timer>& timers, Of of, std::function<void(const Status&)> then) {
  const char* how = of == Of::kEntries ? "entries" : keep_ == KeepFired::kYes ? "kept" : "free";
  redis::Arguments arguments = {std::to_string(fence_), how};
  int64_t first_ms = INT64_MAX;
  for (const Timer& timer : timers) {
    const int64_t due_ms = std::max<int64_t>(timer.due_ms, 0);
    first_ms = std::min(first_ms, due_ms);
    arguments.push_back(TimerMember(stream_, timer.order, timer.name));
    arguments.push_back(std::to_string(due_ms));
    arguments.push_back(Big32(timer.weight) + timer.payload);
  }
  auto put = [this, first_ms, then = std::move(then)](const Result<RespReply>& reply) {
    if (!Good(reply)) return then(FailureOf(reply));
    pending_ += reply->integer;
    action_.OnPending(reply->integer);
    if (asleep_ && first_ms < wakes_at_ms_) Sleep(std::clamp<int64_t>(first_ms - wall_.NowMs(), 0, kLookMs));
    then(base::Ok());
  };
  client_.Eval(Owners().put, keys_, std::move(arguments), std::move(put), {.patience_ms = kPatienceMs});
}

void RedisTimers::Sleep(int64_t ms) {
  asleep_ = true;
  wakes_at_ms_ = wall_.NowMs() + ms;
  core_.After(ms, [this, term = term_, sleep = ++sleep_] {
    if (!Stale(term) && sleep == sleep_) Turn();
  });
}

void RedisTimers::Turn() {
  asleep_ = false;
  again_ ? DoAgain("0") : Take();
}

void RedisTimers::Fail(std::string_view step, std::string_view why) {
  if (failures_++ % 20 == 0) {
    base::Log(base::Level::kWarn, "timers_failed", {{"stream", stream_}, {"step", step}, {"why", why}});
  }
  Sleep(std::min(kLongestRetryMs, kFirstRetryMs << std::min<int64_t>(failures_, 6)));
}

// Members that hold nothing of ours are passed over.
std::vector<DueTimer> RedisTimers::Decode(const RespReply& list, std::vector<std::string>& members) const {
  std::vector<DueTimer> due;
  for (size_t at = 0; at + 2 < list.elements.size(); at += 3) {
    const std::string& member = list.elements[at].text;
    const std::string& row = list.elements[at + 2].text;
    members.push_back(member);
    if (member.size() < EntryId::kEncodedSize || row.size() < kRowHead) continue;
    const std::string weight = std::string(4, '\0') + row.substr(8, 4);
    due.push_back({{.name = NameOfMember(stream_, member),
                    .due_ms = static_cast<int64_t>(model::GetBig64(row.data())),
                    .order = EntryId::Decode(member),
                    .weight = model::GetBig64(weight.data()),
                    .payload = row.substr(kRowHead)},
                   Number(list.elements[at + 1].text)});
  }
  return due;
}

void RedisTimers::Take() {
  auto taken = [this, term = term_](const Result<RespReply>& reply) {
    if (Stale(term)) return;
    if (!Good(reply)) return Fail("take", FailureOf(reply).message());
    if (reply->elements.size() != 3) return Fail("take", "the reply has another shape");
    failures_ = 0;
    action_.OnPending(reply->elements[1].integer - pending_);
    pending_ = reply->elements[1].integer;
    std::vector<std::string> members;
    std::vector<DueTimer> due = Decode(reply->elements[2], members);
    if (again_) return Turn();  // first; what was taken now is taken up behind it
    if (members.empty()) {
      const std::string& next = reply->elements[0].text;
      const int64_t wait_ms = next.empty() ? kLookMs : static_cast<int64_t>(Number(next)) - wall_.NowMs();
      return Sleep(std::clamp<int64_t>(wait_ms, 0, kLookMs));
    }
    action_.OnDue(std::move(due), RedisTimerAction::Pass::kFirst, fence_,
                  [this, term, members = std::move(members)](const Status& done) mutable {
                    if (Stale(term)) return;
                    done.ok() ? Finish(std::move(members)) : Fail("do", done.message());
                  });
  };
  client_.Eval(Owners().take, keys_,
               {std::to_string(fence_), std::to_string(wall_.NowMs()), std::to_string(kTake),
                std::to_string(kTakeWeight), std::to_string(kTakeBytes), std::to_string(kKeepMs * 1'000)},
               std::move(taken), {.patience_ms = kPatienceMs});
}

void RedisTimers::Finish(std::vector<std::string> members) {
  redis::Arguments arguments = {std::to_string(fence_), keep_ == KeepFired::kYes ? "1" : "0"};
  arguments.insert(arguments.end(), std::make_move_iterator(members.begin()), std::make_move_iterator(members.end()));
  auto finished = [this, term = term_](const Result<RespReply>& reply) {
    if (Stale(term)) return;
    Good(reply) ? Turn() : Fail("finish", FailureOf(reply).message());
  };
  client_.Eval(Owners().finish, keys_, std::move(arguments), std::move(finished), {.patience_ms = kPatienceMs});
}

void RedisTimers::DoAgain(std::string after) {
  auto found = [this, term = term_](const Result<RespReply>& reply) {
    if (Stale(term)) return;
    if (!Good(reply)) return Fail("again", FailureOf(reply).message());
    if (reply->elements.size() != 2) return Fail("again", "the reply has another shape");
    const std::string& looked = reply->elements[0].text;
    if (looked.empty()) {
      again_ = false;
      return Turn();
    }
    std::vector<std::string> members;
    action_.OnDue(Decode(reply->elements[1], members), RedisTimerAction::Pass::kAgain, fence_,
                  [this, term, looked](const Status& done) {
                    if (Stale(term)) return;
                    done.ok() ? DoAgain(looked) : Fail("again", done.message());
                  });
  };
  client_.Eval(Owners().again, keys_,
               {std::to_string(fence_), std::move(after), std::to_string(kTake), std::to_string(kTakeBytes)},
               std::move(found), {.patience_ms = kPatienceMs});
}

}  // namespace tocsin::nodes
