// Publisher: where a publish goes, wherever the ingest stream is kept, and whether it can go there now.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/result.h"
#include "model/entry_id.h"
#include "model/notification.h"

namespace tocsin::notifier {

// Names a request for kIdempotencyMs: a repeat of it is answered as the first one was, and publishes nothing.
struct IdempotencyKey {
  std::string producer{};     // whose API key came with it
  std::string key{};          // empty: the request has none
  std::string fingerprint{};  // of the body: another one under the same key is kConflict
  bool given() const { return !key.empty(); }
};
inline constexpr std::string_view kOtherBody = "this Idempotency-Key was used for another body within 24 hours";

struct PublishRequest {
  PublishRequest(std::vector<model::StreamFields> e, IdempotencyKey k = {})  // NOLINT: implicit on purpose
      : entries(std::move(e)), key(std::move(k)) {}
  std::vector<model::StreamFields> entries;
  IdempotencyKey key;
};

// A publish that is still in its stream.
struct AcceptedEntry {
  std::string stream;
  model::EntryId id;
  model::StreamFields fields;
  std::optional<int64_t> scheduled_ms = std::nullopt;  // it waits for that time; the stream may have lost it already
  bool routed = false;     // the built-in group has finished it: what it made is in the logs or the dead letters
  bool cancelled = false;  // for those whose logs did not have it then
  std::vector<std::pair<std::string, int64_t>> held{};  // users who get it later, and when
};

// What a schedule knows of a notification.
struct ScheduledState {
  std::optional<int64_t> due_ms = std::nullopt;  // it waits, for all its users
  bool cancelled = false;
  std::vector<std::pair<std::string, int64_t>> held{};  // as in AcceptedEntry
  model::StreamFields fields{};                         // of one that waits or was cancelled before its time
};

// Where something scheduled stands: in the order of its time, then of its entry.
struct SchedulePlace {
  int64_t deliver_at_ms = 0;
  model::EntryId id;
  std::string stream;
  std::string user{};  // it waits for this one only; empty: for all its users
};
struct SchedulePage {
  struct Line {
    SchedulePlace place;
    uint64_t users = 0;  // how many
  };
  std::vector<Line> lines;
  bool more = false;
};

class Publisher {
 public:
  // The nids, in the order of the entries.
  using Then = std::function<void(const base::Result<std::vector<std::string>>&)>;

  virtual ~Publisher() = default;

  // Thread-safe. Appends all entries to the first ingest stream, or none. `then` runs on any thread, inside the call or
  // later, when they are as durable as durability() says. A failure means that nothing is known to be stored.
  virtual void Publish(PublishRequest request, Then then) = 0;

  // The entry of that nid; nothing: there is none, or retention has trimmed it. Thread-safe, answered as Publish is.
  using Found = std::function<void(const base::Result<std::optional<AcceptedEntry>>&)>;
  virtual void Find(const std::string& nid, Found then) = 0;

  // What is scheduled behind that place, at most `limit`. Thread-safe, answered as Publish is.
  using Listed = std::function<void(const base::Result<SchedulePage>&)>;
  virtual void ListScheduled(SchedulePlace, size_t, Listed then) { then(SchedulePage()); }
  // True: it was scheduled, and nobody will get it. False: it is not scheduled, or not any more.
  using Cancelled = std::function<void(const base::Result<bool>&)>;
  virtual void CancelScheduled(const std::string&, Cancelled then) { then(false); }

  // The rest is thread-safe too.
  // Ok: a publish would be taken. Else why not.
  virtual base::Status health() const = 0;
  // The level in force, computed: "sync" (a 2xx was fsynced), "interval" (within a second or so), "memory".
  virtual std::string durability() const = 0;
  // Publishes and other changes that wait for the store.
  virtual size_t queued() const = 0;
  // Its figures in Prometheus text, beside those that base::MetricsText() has.
  virtual std::string MetricsText() const { return {}; }
};

}  // namespace tocsin::notifier
