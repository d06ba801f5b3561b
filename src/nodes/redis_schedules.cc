#include "nodes/redis_schedules.h"

#include <algorithm>
#include <charconv>
#include <memory>
#include <tuple>
#include <utility>

#include "model/bytes.h"
#include "nodes/keys.h"
#include "nodes/redis_scripts.h"
#include "nodes/redis_timers.h"
#include "notifier/counters.h"
#include "notifier/router.h"
#include "notifier/scheduled_row.h"

namespace tocsin::nodes {
namespace {

using base::Code;
using base::Result;
using base::Status;
using model::EntryId;
using notifier::ScheduledState;
using notifier::SchedulePage;
using notifier::SchedulePlace;
using notifier::TimerKind;
using redis::Script;
using wire::RespReply;

constexpr int64_t kPatienceMs = 5'000;
constexpr size_t kWeightSize = 4;

Script TimerScript(std::string_view source) { return Script(std::string(scripts::redis_timers).append(source)); }

struct ReadScripts {
  const Script list = TimerScript(scripts::redis_timers_list), find = TimerScript(scripts::redis_timers_find),
               cancel = TimerScript(scripts::redis_timers_cancel);
};
const ReadScripts& Readers() {
  static const ReadScripts scripts;
  return scripts;
}

int64_t Number(std::string_view text) {
  int64_t number = 0;
  std::from_chars(text.data(), text.data() + text.size(), number);
  return number;
}

Status FailureOf(const Result<RespReply>& reply) {
  return reply.ok() ? Status(Code::kUnavailable, "the Redis store refuses: " + reply->text) : reply.status();
}

// Its keys, its member and what is above all members that begin so.
struct EntryKeys {
  EntryKeys(std::string_view stream, EntryId id)
      : keys(TimerKeys(stream, TimerKind::kDeliver)),
        member(TimerMember(stream, id, notifier::NidOf(stream, id))),
        above(model::PrefixSuccessor(member)) {
    keys.push_back(StreamKey(stream, "cancelled:" + id.ToString()));
  }
  std::vector<std::string> keys;
  std::string member, above;
};

// What the members of a place's time are not to be below, in that stream, to stand behind the place.
std::string BoundOf(const std::string& stream, const SchedulePlace& after) {
  std::string bound;
  after.id.EncodeTo(bound);
  if (stream > after.stream) return bound;
  if (stream < after.stream) return bound.append(1, '\2');  // above all that begins with the id
  if (!after.user.empty()) bound.append(1, '\0').append(after.user);
  return bound.append(1, '\0');
}

// The lines of one stream; false: they cannot be read.
bool ReadLines(const std::string& stream, const RespReply& listed, SchedulePage& page) {
  for (size_t at = 0; at + 2 < listed.elements.size(); at += 3) {
    const std::string& member = listed.elements[at].text;
    const std::string& weight = listed.elements[at + 2].text;
    if (member.size() < EntryId::kEncodedSize || weight.size() != kWeightSize) return false;
    const std::string name = NameOfMember(stream, member);
    page.lines.push_back({{Number(listed.elements[at + 1].text), EntryId::Decode(member), stream,
                           std::string(notifier::PartsOfName(name).user)},
                          model::GetBig64((std::string(4, '\0') + weight).data())});
  }
  return true;
}

}  // namespace

bool RedisSchedules::Has(std::string_view stream) const {
  return std::find(streams_.begin(), streams_.end(), stream) != streams_.end();
}

void RedisSchedules::List(SchedulePlace after, size_t limit, notifier::Publisher::Listed then) {
  struct Listing {
    SchedulePage page;
    Status failure;
    size_t waiting;
  };
  auto listing = std::make_shared<Listing>();
  listing->waiting = streams_.size();
  for (const std::string& stream : streams_) {
    auto listed = [listing, stream, limit, then](const Result<RespReply>& reply) {
      if (!reply.ok() || reply->is_error() || reply->elements.size() != 2) {
        listing->failure = FailureOf(reply);
      } else {
        listing->page.more |= reply->elements[0].integer != 0;
        if (!ReadLines(stream, reply->elements[1], listing->page)) {
          listing->failure = Status(Code::kCorruption, "a row of the schedule cannot be decoded");
        }
      }
      if (--listing->waiting > 0) return;
      if (!listing->failure.ok()) return then(listing->failure);
      auto& lines = listing->page.lines;
      std::sort(lines.begin(), lines.end(), [](const auto& a, const auto& b) {
        const auto key = [](const SchedulePlace& one) {
          return std::tie(one.deliver_at_ms, one.id, one.stream, one.user);
        };
        return key(a.place) < key(b.place);
      });
      listing->page.more |= lines.size() > limit;
      if (lines.size() > limit) lines.erase(lines.begin() + static_cast<ptrdiff_t>(limit), lines.end());
      then(std::move(listing->page));
    };
    client_.Eval(
        Readers().list, TimerKeys(stream, TimerKind::kDeliver),
        {std::to_string(std::max<int64_t>(after.deliver_at_ms, 0)), BoundOf(stream, after), std::to_string(limit)},
        std::move(listed), {.patience_ms = kPatienceMs});
  }
}

void RedisSchedules::Cancel(const std::string& nid, notifier::Publisher::Cancelled then) {
  const auto parts = notifier::ParseNid(nid);
  if (!parts || !Has(parts->stream)) return then(false);
  EntryKeys entry(parts->stream, parts->id);
  auto cancelled = [then = std::move(then)](const Result<RespReply>& reply) {
    if (!reply.ok() || reply->is_error()) return then(FailureOf(reply));
    if (reply->integer > 0) notifier::scheduled_cancelled.Add();
    then(reply->integer > 0);
  };
  client_.Eval(Readers().cancel, std::move(entry.keys),
               {std::move(entry.member), std::move(entry.above), std::to_string(kKnowCancelledMs)},
               std::move(cancelled), {.patience_ms = kPatienceMs});
}

void RedisSchedules::Find(const std::string& nid, Found then) {
  const auto parts = notifier::ParseNid(nid);
  if (!parts || !Has(parts->stream)) return then(std::optional<ScheduledState>());
  EntryKeys entry(parts->stream, parts->id);
  auto found = [stream = std::string(parts->stream), then = std::move(then)](const Result<RespReply>& reply) {
    if (!reply.ok() || reply->is_error() || reply->elements.size() != 4) return then(FailureOf(reply));
    ScheduledState state;
    const std::string& due = reply->elements[0].text;
    const std::string& row = reply->elements[1].text;
    if (!due.empty()) state.due_ms = Number(due);
    state.cancelled = reply->elements[2].integer != 0;
    const std::vector<RespReply>& held = reply->elements[3].elements;
    for (size_t at = 0; at + 1 < held.size(); at += 2) {
      const std::string name = NameOfMember(stream, held[at].text);
      state.held.emplace_back(notifier::PartsOfName(name).user, Number(held[at + 1].text));
    }
    if (row.size() > kWeightSize) {
      auto fields = notifier::DecodeFields(std::string_view(row).substr(kWeightSize));
      if (!fields.ok()) return then(fields.status());
      state.fields = std::move(*fields);
    }
    if (!state.due_ms && !state.cancelled && state.held.empty()) return then(std::optional<ScheduledState>());
    then(std::optional(std::move(state)));
  };
  client_.Eval(Readers().find, std::move(entry.keys), {std::move(entry.member), std::move(entry.above)},
               std::move(found), {.patience_ms = kPatienceMs});
}

}  // namespace tocsin::nodes
