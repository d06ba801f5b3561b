#include "server/migrate_schedule.h"

#include <algorithm>
#include <charconv>

#include "model/bytes.h"
#include "nodes/redis_timers.h"
#include "notifier/router.h"
#include "notifier/scheduled_row.h"
#include "notifier/timers.h"

namespace tocsin::server {
namespace {

using base::Code;
using base::Result;
using base::Status;
using model::EntryId;
using notifier::Timer;
using notifier::TimerKind;
using notifier::Timers;
using wire::RespReply;

enum Key : size_t { kState, kDue, kRows, kFiring, kDone, kFired, kHeld };

// At rest nothing is due, and nothing is done.
class AtRest final : public notifier::TimerAction {
  Status OnDue(const Timer&, uint64_t, storage::Batch&) override {
    return Status(Code::kInternal, "a timer has fired within a migration");
  }
};
class NoTime final : public base::Clock {
 public:
  int64_t NowMs() const override { return -1; }
  int64_t MonotonicUs() const override { return 0; }
};

int64_t Number(std::string_view text) {
  int64_t number = 0;
  std::from_chars(text.data(), text.data() + text.size(), number);
  return number;
}

Result<RespReply> Ask(MigrationEnd& end, const RespCommand& command) {
  auto replies = end.Run(command[1], {command});
  if (!replies.ok()) return replies.status();
  if (replies->front().is_error()) return Status(Code::kInternal, "the Redis answered: " + replies->front().text);
  return std::move(replies->front());
}

std::string Weight(uint64_t weight) {
  std::string bytes;
  model::PutBig64(bytes, weight);
  return bytes.substr(4);
}

// One page of a stream, from that rank on.
Status ReadPage(MigrationEnd& end, const std::string& stream, const std::vector<std::string>& keys, size_t from,
                std::vector<Timer>& timers) {
  const std::string to = std::to_string(from + kScheduledAtOnce - 1);
  auto due = Ask(end, {"ZRANGE", keys[kDue], std::to_string(from), to, "WITHSCORES"});
  if (!due.ok()) return due.status();
  RespCommand get = {"HMGET", keys[kRows]};
  // A score stands behind its member as text, or in a pair with it as a number.
  std::vector<int64_t> scores;
  for (size_t i = 0; i < due->elements.size(); ++i) {
    const RespReply& one = due->elements[i];
    const bool pair = one.elements.size() == 2;
    get.push_back(pair ? one.elements[0].text : one.text);
    scores.push_back(pair ? static_cast<int64_t>(one.elements[1].number) : Number(due->elements[++i].text));
  }
  if (scores.empty()) return base::Ok();
  auto rows = Ask(end, get);
  if (!rows.ok()) return rows.status();
  for (size_t i = 0; i < scores.size() && i < rows->elements.size(); ++i) {
    const std::string& member = get[i + 2];
    const std::string& row = rows->elements[i].text;
    if (member.size() < EntryId::kEncodedSize || row.size() < 4) {
      return Status(Code::kCorruption, "a row of the schedule of `" + stream + "` cannot be decoded");
    }
    timers.push_back({.name = nodes::NameOfMember(stream, member),
                      .due_ms = scores[i],
                      .order = EntryId::Decode(member),
                      .weight = model::GetBig64((std::string(4, '\0') + row.substr(0, 4)).data()),
                      .payload = row.substr(4)});
  }
  return base::Ok();
}

// Up to which entry the schedule has all: what the built-in group was given, but for what is pending there.
Result<EntryId> ScheduledUpTo(MigrationEnd& end, const std::string& stream) {
  const std::string group(notifier::kGroup);
  auto groups = Ask(end, {"XINFO", "GROUPS", stream});
  if (!groups.ok()) return EntryId{};  // the stream is gone, what it scheduled is not
  EntryId last;
  bool is_pending = false;
  for (const RespReply& one : groups->elements) {
    bool ours = false;
    for (size_t i = 0; i + 1 < one.elements.size(); i += 2) {
      const RespReply& value = one.elements[i + 1];
      if (one.elements[i].text == "name") ours = value.text == group;
      if (!ours) continue;
      if (one.elements[i].text == "pending") is_pending = value.integer > 0;
      if (one.elements[i].text == "last-delivered-id") last = EntryId::Parse(value.text).value_or(last);
    }
  }
  if (!is_pending) return last;
  auto pending = Ask(end, {"XPENDING", stream, group, "-", "+", "1"});
  if (!pending.ok()) return pending.status();
  if (pending->elements.empty() || pending->elements[0].elements.empty()) return last;
  const auto first = EntryId::Parse(pending->elements[0].elements[0].text);
  return first ? first->Previous().value_or(EntryId{}) : last;
}

}  // namespace

Result<uint64_t> ReadEmbeddedSchedule(const storage::Store& store, const std::vector<std::string>& ingest,
                                      const TakeScheduled& take) {
  AtRest action;
  const NoTime clock;
  Timers timers(store, clock, TimerKind::kDeliver, action);
  Timer after;
  for (bool more = true; more;) {
    auto page = timers.List(after, kScheduledAtOnce);
    if (!page.ok()) return page.status();
    for (const Timer& listed : page->timers) {
      auto timer = timers.Find(listed.name);
      if (!timer.ok()) return timer.status();
      const auto parts = notifier::ParseNid(notifier::PartsOfName(listed.name).nid);
      if (!timer->has_value() || !parts) return Status(Code::kCorruption, "a row of the schedule cannot be decoded");
      if (std::find(ingest.begin(), ingest.end(), parts->stream) == ingest.end()) {
        return Status(Code::kConflict, "notifications of `" + std::string(parts->stream) +
                                           "` wait for their time, and it is none of `ingest_streams`: name it there");
      }
      RETURN_IF_ERROR(take(std::string(parts->stream), **timer));
    }
    more = page->more;
    if (more) after = page->timers.back();
  }
  return timers.LastNumber();
}

Status WriteEmbeddedSchedule(storage::Store& store, const std::vector<Timer>& put, uint64_t number) {
  AtRest action;
  const NoTime clock;
  Timers timers(store, clock, TimerKind::kDeliver, action);
  storage::Batch batch;
  for (const Timer& timer : put) {
    auto is_new = timers.Put(timer, batch);
    if (!is_new.ok()) return is_new.status();
  }
  RETURN_IF_ERROR(timers.SkipNumbers(number));
  RETURN_IF_ERROR(timers.BeforeCommit(batch));
  return store.Write(batch, storage::Sync::kNow);
}

Result<uint64_t> ReadRedisSchedule(MigrationEnd& end, const std::vector<std::string>& ingest,
                                   const TakeScheduled& take) {
  uint64_t number = 0;
  for (const std::string& stream : ingest) {
    const std::vector<std::string> keys = nodes::TimerKeys(stream, TimerKind::kDeliver);
    auto firing = Ask(end, {"ZCARD", keys[kFiring]});
    if (!firing.ok()) return firing.status();
    if (firing->integer > 0) {
      return Status(Code::kConflict, "notifications of `" + stream +
                                         "` were being delivered at their time when the last node ended: start one, "
                                         "end it with SIGTERM, and try again");
    }
    auto last = Ask(end, {"HGET", keys[kState], "number"});
    if (!last.ok()) return last.status();
    number = std::max(number, static_cast<uint64_t>(Number(last->text)));
    for (size_t from = 0;; from += kScheduledAtOnce) {
      std::vector<Timer> timers;
      RETURN_IF_ERROR(ReadPage(end, stream, keys, from, timers));
      for (const Timer& timer : timers) RETURN_IF_ERROR(take(stream, timer));
      if (timers.size() < kScheduledAtOnce) break;
    }
  }
  return number;
}

Status WriteRedisSchedule(MigrationEnd& end, const std::string& stream, const std::vector<Timer>& timers,
                          uint64_t number) {
  const std::vector<std::string> keys = nodes::TimerKeys(stream, TimerKind::kDeliver);
  std::vector<RespCommand> commands;
  for (const Timer& timer : timers) {
    const std::string member = nodes::TimerMember(stream, timer.order, timer.name);
    commands.push_back({"HSET", keys[kRows], member, Weight(timer.weight) + timer.payload});
    commands.push_back({"ZADD", keys[kDue], std::to_string(timer.due_ms), member});
    const bool is_held = !notifier::PartsOfName(timer.name).user.empty();
    if (is_held) commands.push_back({"ZADD", keys[kHeld], "0", member});
  }
  if (number > 0) {
    auto last = ScheduledUpTo(end, stream);
    if (!last.ok()) return last.status();
    std::string id;
    last->EncodeTo(id);
    commands.push_back({"HSET", keys[kState], "number", std::to_string(number), "last", id});
  }
  auto replies = end.Run(stream, commands);
  if (!replies.ok()) return replies.status();
  for (const RespReply& reply : *replies) {
    if (reply.is_error()) return Status(Code::kInternal, "the Redis answered: " + reply.text);
  }
  return base::Ok();
}

}  // namespace tocsin::server
