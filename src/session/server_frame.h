// The frames that the server sends: one JSON object each, appended to `out` without a line end. The other direction is
// wire/client_frame.h. Fields and meaning: docs/protocol.md.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "logs/log_reader.h"
#include "session/close_code.h"

namespace tocsin::session {

enum class Resume : uint8_t {
  kOk,     // what follows the cursor follows
  kGap,    // the cursor is below the floor: what a limit took is missing, what is left follows
  kReset,  // a cursor of another log: start over
  kFresh,  // no cursor yet
};

// Where a client begins in a log.
struct ChannelStart {
  std::string topic;  // empty: the user's own log
  model::EntryId head, floor, cur;
  Resume resume = Resume::kFresh;
  logs::Counts counts;
};
// A topic that a client does not get, and why.
struct Refusal {
  std::string topic;
  std::string_view code, message;
};

struct Welcome {
  std::string_view sid, user, epoch;
  ChannelStart own;
  // Where the client knows of topics: `cur`, `resume`, `head` and `floor` are maps then.
  bool knows_topics = false;
  std::span<const ChannelStart> topics;
  std::span<const Refusal> refused;
  int64_t now_ms = 0;
  int64_t ttl_s = 0;  // until the token expires
};
void AppendWelcome(std::string& out, const Welcome& welcome);

// {id, nid, ts, prio, ..., state}
void AppendItem(std::string& out, const logs::LogLine& line);
// `n` with those lines (items only, maybe none). `topic` is its `ch`; empty: the user's own log. `more`: the backlog
// goes on.
void AppendNotifications(std::string& out, std::string_view topic, model::EntryId prev, model::EntryId cur,
                         std::span<const logs::LogLine> lines, bool more);
// `n` that does not move the cursor `cur`: early copies of items, which come again in order.
void AppendEarlyCopies(std::string& out, std::string_view topic, model::EntryId cur,
                       std::span<const logs::LogLine> lines);
// `counts`: the user's after it; null for a change of a topic's own log.
void AppendStateChange(std::string& out, std::string_view topic, model::EntryId prev, const logs::LogEntry& entry,
                       const logs::Counts* counts);
// {"at","unread","unseen","by_priority","by_category"}
void AppendCounts(std::string& out, model::EntryId at, const logs::Counts& counts);

// Replies. `i` is the client's correlator as raw JSON; empty: none.
void AppendOkCounts(std::string& out, std::string_view i, model::EntryId at, const logs::Counts& counts);
// {"topics":{"news":{"resume","head","floor","cur"},"secret":{"code","msg"}}}
void AppendOkTopics(std::string& out, std::string_view i, std::span<const ChannelStart> started,
                    std::span<const Refusal> refused);
// {"topics":{"news":{}}}: they have ended.
void AppendOkEnded(std::string& out, std::string_view i, std::span<const std::string> topics);
void AppendOkTtl(std::string& out, std::string_view i, int64_t ttl_s);
void AppendOkPage(std::string& out, std::string_view i, const logs::ListPage& page, model::EntryId at,
                  const logs::Counts& counts);
// `retry`: the same frame may succeed later.
enum class Retry : uint8_t { kNo, kLater };
void AppendError(std::string& out, std::string_view i, std::string_view code, std::string_view message, Retry retry);

// A topic that the client had is over for it.
void AppendEnd(std::string& out, const Refusal& ended);
void AppendPing(std::string& out, int64_t now_ms);
void AppendWarn(std::string& out, std::string_view what, int64_t in_ms);
// `after_ms` < 0: not sent.
void AppendBye(std::string& out, CloseCode code, std::string_view message, int64_t after_ms);

}  // namespace tocsin::session
