// RedisLogs: the user logs on Redis or Valkey. Any number of nodes share them; each change is one script on one slot,
// which is atomic. The layout is in docs/decisions/redis-layout.md.
//
// 1. A log is what UserLogs makes of it: the same ids, counts, states, trims and cursors.
// 2. Every script looks at the bucket's epoch first. Where it is missing, the store is empty or was restored: nothing
// is
//    done, the caller is told kUnavailable and the owner `on_epoch_missing`, so that it prepares the buckets again.
// 3. Appends are fenced: who routes a stream has a number, and a lower one than the bucket has seen is refused.
// 4. Reads, and receipts that may wait, are asked again while the store is away: for kReadPatienceMs, Open for
//    kOpenPatienceMs. What else changes a log is not: it fails with kUnavailable, and may have been done. Appends and
//    marks with a `mid` can be repeated.
// 5. LogStore is called on any Core, or on none; the rest on the store Core only, and answered there, never inside the
//    call. Callbacks in the options are called there.
#pragma once

#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/random.h"
#include "base/result.h"
#include "logs/log_store.h"
#include "logs/redis_keys.h"
#include "logs/text_map.h"
#include "model/limits.h"
#include "model/notification.h"
#include "redis/client.h"
#include "runtime/core.h"
#include "state/rate_limit.h"

namespace tocsin::logs {

struct RedisLogsOptions {
  size_t max_entries = model::kLogMaxEntries;       // of one log
  const base::Clock* clock = &base::SystemClock();  // asked on any Core
  base::Random* random = &base::SystemRandom();
  std::string node;                 // this node's name, as watchers are told
  LogListener* listener = nullptr;  // may be null
  // A mark has changed a log: these other nodes watch it.
  std::function<void(const LogUpdate& update, const std::vector<std::string>& watchers)> on_changed = nullptr;
  std::function<void(int bucket)> on_epoch_missing = nullptr;
};

// Items of one user, from one ingest stream, in its order.
struct AppendRequest {
  enum class Way : uint8_t { kAppend, kPassOver };  // passed over: it is not appended, now or ever
  struct Item {
    model::EntryId source;  // the ingest entry; may be of any size
    std::string nid;
    model::Priority priority = model::Priority::kNormal;
    std::string json;  // as LogEntry::json
    ItemTraits traits{};
    Way way = Way::kAppend;
    // Not null: it is appended or summed up, as the limit says for what was counted in its category. Not owned, there
    // until the answer.
    const state::RateLimit* limit = nullptr;
  };
  std::string user;
  std::string stream;
  uint64_t fence = 0;
  std::vector<Item> items;  // 1 to kMaxAppendItems
  // What the log takes the items' sources for, where that is not `stream`, whose fencing number counts.
  std::string source_stream{};
  uint64_t preferences_tag = 0;  // of the user's preferences that were asked; 0: there are none
};

// What has become of an item.
enum class Fate : uint8_t { kHadBefore, kAppended, kPassedOver, kSummedUp };

// What a user has said about deliveries, and the tag of just that record: another record has another tag.
struct TaggedPreferences {
  uint64_t tag = 0;  // 0: nothing
  std::shared_ptr<const state::Preferences> preferences;
};

struct Appended {
  // What the log has gained. `entries` are there only if this node watches the log; `last` tells in any case. Empty and
  // `last` not above `after`: the log had all of it.
  LogUpdate update;
  std::vector<std::string> watchers;  // nodes, this one too
  std::vector<Fate> fates;            // of the items
  // The tag of the user's preferences, where other ones were asked: nothing was done.
  std::optional<uint64_t> other_preferences{};
};

// A window of a rate limit that has ended, with something summed up.
struct EndedWindow {
  std::string user, category;
  state::LimitWindow window;
  std::string name, bytes;  // as they are stored
};
struct EndWindowRequest {
  EndedWindow ended;
  uint64_t preferences_tag = 0;               // as in AppendRequest
  std::optional<AppendRequest::Item> digest;  // nothing: none is appended
};

class RedisLogs final : public LogStore {
 public:
  static constexpr size_t kMaxAppendItems = 256;
  static constexpr int64_t kReadPatienceMs = 30'000, kOpenPatienceMs = 5'000;
  static constexpr int64_t kReceiptsMs = 200;  // receipts that may wait are sent together after it

  // Nothing is owned. The client lives on `store_core`; it was stopped before this object goes, which is on that Core,
  // or when no Core runs any more.
  RedisLogs(redis::Client& client, runtime::Core& store_core, RedisLogsOptions options);
  ~RedisLogs() override;

  // A receipt that may wait is answered when it is stored, with others; the newest of a device is what is sent.
  void Open(const std::string& user, const std::string& device, Then<LogOpening> then) override;
  void Read(const std::string& user, model::EntryId after, size_t max_entries, size_t max_bytes,
            Then<LogPiece> then) override;
  void List(const std::string& user, model::EntryId before, size_t limit, ListFilter filter,
            Then<ListPage> then) override;
  void Trace(const std::string& user, const std::string& nid, Then<LogTrace> then) override;
  void Ack(const std::string& user, const std::string& device, model::EntryId cursor, Urgency urgency,
           std::function<void(const base::Status&)> then) override;
  void Mark(MarkRequest request, Then<Counts> then) override;
  void GetPreferences(const std::string& user, Then<state::Preferences> then) override;
  void SetPreferences(const std::string& user, state::Preferences preferences,
                      std::function<void(const base::Status&)> then) override;
  // A watch that could not be stored is tried again until it is, and then the listener gets the log's head as a hint.
  // Counted: as many Unwatch() end it.
  void Watch(const std::string& user) override;
  void Unwatch(const std::string& user) override;

  // From here on: on the store Core.

  // kConflict: a later owner of the stream has raised the fence. Any other failure may be tried again as it is: what
  // the log has already is passed over.
  void Append(AppendRequest request, std::function<void(base::Result<Appended>)> then);

  void FindPreferences(const std::string& user, Then<TaggedPreferences> then);

  // Windows of the bucket's users that have ended by the clock, at most `most`; those with nothing summed up just end.
  void FindEndedWindows(int bucket, size_t most, Then<std::vector<EndedWindow>> then);
  // Ends a window and appends its digest in one step. `last` of the update not above its `after`: the window has
  // changed since it was found, or has ended; nothing was done.
  void EndWindow(EndWindowRequest request, std::function<void(base::Result<Appended>)> then);

  // Sees to it that every bucket has its record; answers how many had none, that is: are new, with a new epoch.
  void Prepare(std::function<void(base::Result<int>)> then);
  // Raises the fencing number of a stream in all buckets. kConflict: one has seen a higher number.
  void RaiseFence(const std::string& stream, uint64_t fence, std::function<void(const base::Status&)> then);
  // Tells the store again which logs are watched here: after a failover, which may have lost it. Each watched log is
  // then hinted at. Thousands take a second or two: other calls are not to wait behind all of them.
  void WatchAgain();
  // Another node is gone: it is not a watcher of this log any more.
  void DropWatcher(const std::string& user, const std::string& node);

  TopicStore& topics() override { return *topics_; }

 private:
  friend class RedisTopics;
  struct Scripts;
  struct Question {  // a script to be run
    const redis::Script* script;
    int bucket;
    std::vector<std::string> keys, arguments;
    int64_t patience_ms;
    bool repeatable;  // asked again after a failure, within the patience
  };
  using Reply = std::function<void(base::Result<wire::RespReply>)>;  // no error replies
  struct Receipts {                                                  // of one user, to be stored
    struct Receipt {
      model::EntryId cursor;
      std::vector<std::function<void(const base::Status&)>> thens;
    };
    std::map<std::pair<std::string, std::string>, Receipt> of;  // by device and topic; no topic: the own log
  };

  void OnStoreCore(base::Task task);
  template <typename Answer, typename Decode>
  void Ask(Question question, Decode decode, Then<Answer> then);
  void Evaluate(Question question, Reply then);
  base::Status FailureOf(const wire::RespReply& error, int bucket);
  Question QuestionFor(const redis::Script& script, std::string_view user, std::vector<std::string> keys,
                       std::vector<std::string> arguments) const;
  int64_t NowMs() const;
  void EveryBucket(const std::function<void(int bucket, Reply)>& ask, std::function<void(base::Result<int64_t>)> then);

  void AckIn(const std::string& user, const std::string& device, const std::string& topic, model::EntryId cursor,
             Urgency urgency, std::function<void(const base::Status&)> then);
  static std::string ItemOf(const AppendRequest::Item& item, const LogEntry& entry);
  static LogEntry EntryOf(AppendRequest::Item& item);
  base::Result<Appended> ReadAppended(const wire::RespReply& reply, const std::string& user,
                                      std::vector<LogEntry>& entries) const;
  void StoreReceipts(const std::string& user, Receipts receipts, Urgency urgency);
  void FlushReceipts();
  static constexpr uint64_t kUnsent = 0;
  enum class Hint : uint8_t { kNone, kHead };
  void SendWatch(const std::string& user, Hint hint);
  void SendUnsentWatches();
  void SendUnsentWatchesIn(int64_t ms);
  void Hinted(LogUpdate hint);
  void TellChange(LogUpdate update, std::vector<std::string> watchers);

  redis::Client& client_;
  runtime::Core& core_;
  const RedisLogsOptions options_;
  const std::unique_ptr<const Scripts> scripts_;
  const std::unique_ptr<TopicStore> topics_;
  std::map<std::string, Receipts> receipts_;
  struct Watched {
    uint64_t send = kUnsent;  // number of the send that tells of it
    size_t watchers = 0;      // Cores: a topic's log may be live on several
  };
  TextMap<Watched> watched_;  // by user
  uint64_t watch_sends_ = kUnsent;
  std::deque<std::string> unsent_;    // users whose watch is to be sent, some at a time; those not kUnsent are not
  bool watch_timer_ = false;          // SendUnsentWatches() will be called
  std::vector<LogUpdate> hints_;      // told at the end of what arrives together
  std::shared_ptr<const bool> life_;  // what waits for time looks whether it is there
};

}  // namespace tocsin::logs
