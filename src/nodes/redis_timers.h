// RedisTimers: the timers of one kind (notifier/timer.h) that belong to one ingest stream, on Redis. The node that
// holds the stream's lease does what is due; every node can look at them and take one out (redis_schedules.h).
//
// 1. All of it lies on the stream's slot; each change is one script. Those of the owner carry its fencing number, and
//    an older owner's are refused.
// 2. To do one is three steps: it is taken, which gives it its number; its action does it; it is finished. Whoever
//    comes after a crash takes up what was taken first, with the numbers it was given. So an action that passes over
//    what it has done under a number does each exactly once.
// 3. Once a Begin() says that it is the owner's turn it looks every kLookMs, and when the next one is due. A turn takes
//    at most kTake of them, kTakeWeight together and kTakeBytes; the next one begins when it is finished.
// 4. What has fired is kept for kKeepMs, if asked for: after a failover that may have lost what the action did, Again()
//    does it all once more, with the same numbers, before anything that is new.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "notifier/timer.h"
#include "redis/client.h"
#include "runtime/core.h"

namespace tocsin::nodes {

struct DueTimer {
  notifier::Timer timer;
  uint64_t number = 0;
};

class RedisTimerAction {
 public:
  virtual ~RedisTimerAction() = default;
  // Does them, in this order, as the owner of that fencing number; answers once, inside the call or later. After a
  // failure they come again, with the same numbers. What is wrong with a timer itself is the action's to count. May put
  // timers. `pass`: they were done before, and what that did may be lost.
  enum class Pass : uint8_t { kFirst, kAgain };
  virtual void OnDue(std::vector<DueTimer> due, Pass pass, uint64_t fence,
                     std::function<void(const base::Status&)> then) = 0;
  // So many wait now, that is `more` than at the last time this was told.
  virtual void OnPending(int64_t more) = 0;
};

// What becomes of those that have fired: nothing is kept of them; or they are kept for a while, and none of the same
// name is put in that time.
enum class KeepFired : uint8_t { kNo, kYes };

class RedisTimers {
 public:
  static constexpr int64_t kLookMs = 500;
  static constexpr int64_t kKeepMs = 6 * 60'000;  // a minute more than the router goes back after a failover
  static constexpr size_t kTake = 256, kTakeWeight = 8'192, kTakeBytes = 4 << 20;

  // Nothing is owned; all of it outlives the client's last answer. On the Core. `wall`: the clock that timers go by.
  RedisTimers(runtime::Core& core, redis::Client& client, const base::Clock& wall, std::string stream,
              notifier::TimerKind kind, KeepFired keep, RedisTimerAction& action);

  // The stream is ours, under that number, and nothing that an older owner has under way can have an effect any more.
  // Again with the same number: nothing.
  void Begin(uint64_t fence);
  void End();
  void Again();
  // Now, rather than in kLookMs: the clock has leapt.
  void Look();

  // Their `order` and stream follow from their names. kEntries: each stands for the entry that is its `order`, they are
  // in the order of the stream, and what was put once is never put again. kConflict: a later owner is at work; any
  // other failure may be repeated.
  enum class Of : uint8_t { kEntries, kAnything };
  void Put(const std::vector<notifier::Timer>& timers, Of of, std::function<void(const base::Status&)> then);

 private:
  using Reply = base::Result<wire::RespReply>;
  void Turn();
  void Take();
  void Finish(std::vector<std::string> members);
  void DoAgain(std::string after);
  void Sleep(int64_t ms);
  void Fail(std::string_view step, std::string_view why);
  std::vector<DueTimer> Decode(const wire::RespReply& list, std::vector<std::string>& members) const;
  bool Stale(uint64_t term) const { return term != term_; }

  runtime::Core& core_;
  redis::Client& client_;
  const base::Clock& wall_;
  const std::string stream_;
  const std::vector<std::string> keys_;
  const KeepFired keep_;
  RedisTimerAction& action_;
  uint64_t fence_ = 0;       // 0: not ours
  uint64_t term_ = 0;        // of what is under way: what an older one brings is dropped
  uint64_t sleep_ = 0;       // which sleep it is
  bool asleep_ = false;      // nothing is under way
  int64_t wakes_at_ms_ = 0;  // by the wall clock, when asleep
  bool again_ = false;
  int64_t failures_ = 0;  // in a row
  int64_t pending_ = 0;   // as was told last
};

// How they lie in Redis.
// "tocsin:{s}:s:timers:d:due" and the like: state, due, rows, firing, done, fired, held.
std::vector<std::string> TimerKeys(std::string_view stream, notifier::TimerKind kind);
// A timer of an ingest stream: its order and name, where a name that begins with the order's nid has it left out.
std::string TimerMember(std::string_view stream, model::EntryId order, std::string_view name);
// Empty: it is none.
std::string NameOfMember(std::string_view stream, std::string_view member);

}  // namespace tocsin::nodes
