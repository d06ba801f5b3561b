#include "logs/redis_logs.h"

#include <algorithm>
#include <utility>

#include "base/check.h"
#include "base/metrics.h"
#include "logs/counters.h"
#include "logs/redis_element.h"
#include "logs/redis_replies.h"
#include "logs/redis_scripts.h"
#include "logs/redis_topics.h"

namespace tocsin::logs {
namespace {

using base::Code;
using base::Result;
using base::Status;
using model::EntryId;
using redis::Script;
using runtime::Core;
using wire::RespReply;

constexpr int64_t kWritePatienceMs = 2'000;
constexpr int64_t kRetryMs = 100;  // before a read is asked again
constexpr int64_t kWatchRetryMs = 1'000;
// Watches that are told again: so many at once, so long apart. While a primary is away most may be in vain.
constexpr size_t kWatchesAtOnce = 256, kWatchesAtOnceInOutage = 8;
constexpr int64_t kWatchesApartMs = 20, kWatchesApartInOutageMs = 100;

base::Counter unanswered("tocsin_redis_log_failures_total", "Scripts of user logs that failed");

// A number in a script is a double: exact up to here. Whatever is above is above every id of a log too.
std::string Exact(uint64_t number) { return std::to_string(std::min<uint64_t>(number, (uint64_t{1} << 53) - 1)); }

void PushId(std::vector<std::string>& arguments, EntryId id) {
  if (id.ms > kMaxLogMs) id = {kMaxLogMs, kMaxLogSeq};
  arguments.push_back(Exact(id.ms));
  arguments.push_back(Exact(id.seq));
}

Script LogScript(std::string_view source) {
  return Script(std::string(scripts::redis_shared).append(scripts::redis_log).append(source));
}

// Runs the answer on the Core that this is called on; on the store Core, or without a Core: where it is answered.
template <typename Answer>
std::function<void(const Answer&)> BackHome(Core& store_core, std::function<void(const Answer&)> then) {
  Core* home = Core::Current();
  if (home == nullptr || home == &store_core) return then;
  return [home, then = std::move(then)](const Answer& answer) {
    home->Post([then, copy = std::make_shared<Answer>(answer)] { then(*copy); });
  };
}

}  // namespace

// Of redis_mark.lua: kDelete, but for what was read.
constexpr int kRetract = 255;

struct RedisLogs::Scripts {
  const Script append = LogScript(scripts::redis_append), mark = LogScript(scripts::redis_mark),
               ack = LogScript(scripts::redis_ack), open = LogScript(scripts::redis_open),
               read = LogScript(scripts::redis_read), list = LogScript(scripts::redis_list),
               watch = LogScript(scripts::redis_watch), trace = LogScript(scripts::redis_trace);
  const Script fence = Script(std::string(scripts::redis_shared).append(scripts::redis_fence));
};

RedisLogs::RedisLogs(redis::Client& client, Core& store_core, RedisLogsOptions options)
    : client_(client),
      core_(store_core),
      options_(std::move(options)),
      scripts_(std::make_unique<Scripts>()),
      topics_(std::make_unique<RedisTopics>(*this)),
      life_(std::make_shared<const bool>(true)) {
  CHECK(options_.max_entries > 0 && !options_.node.empty());
}

RedisLogs::~RedisLogs() = default;

int64_t RedisLogs::NowMs() const {
  return std::clamp<int64_t>(options_.clock->NowMs(), 0, static_cast<int64_t>(kMaxLogMs));
}

void RedisLogs::OnStoreCore(base::Task task) {
  if (Core::Current() == &core_) return task();
  core_.Post(std::move(task));
}

RedisLogs::Question RedisLogs::QuestionFor(const Script& script, std::string_view user, std::vector<std::string> keys,
                                           std::vector<std::string> arguments) const {
  const int bucket = logs::BucketOf(user);
  keys.insert(keys.begin(), {logs::BucketKey(bucket), LogKey(user)});
  return {&script, bucket, std::move(keys), std::move(arguments), kWritePatienceMs, false};
}

Status RedisLogs::FailureOf(const RespReply& error, int bucket) {
  unanswered.Add();
  if (error.text.starts_with("FENCED")) return Status(Code::kConflict, error.text);
  if (error.text.starts_with("NOEPOCH") && options_.on_epoch_missing) options_.on_epoch_missing(bucket);
  return Status(Code::kUnavailable, "Redis refused: " + error.text);
}

// On the store Core.
void RedisLogs::Evaluate(Question question, Reply then) {
  const int64_t began_us = core_.clock().MonotonicUs();
  auto shared = std::make_shared<Question>(std::move(question));
  auto answered = [this, shared, began_us, then = std::move(then)](Result<RespReply> reply) mutable {
    if (reply.ok()) {
      return then(reply->is_error() ? Result<RespReply>(FailureOf(*reply, shared->bucket)) : std::move(reply));
    }
    const int64_t passed_ms = (core_.clock().MonotonicUs() - began_us) / 1'000 + kRetryMs;
    if (!shared->repeatable || reply.status().code() != Code::kUnavailable || passed_ms >= shared->patience_ms) {
      unanswered.Add();
      return then(std::move(reply));
    }
    core_.After(kRetryMs, [this, life = std::weak_ptr(life_), shared, passed_ms, then]() mutable {
      if (life.expired()) return then(Status(Code::kCancelled, "the server is going away"));
      shared->patience_ms -= passed_ms;
      Evaluate(std::move(*shared), std::move(then));
    });
  };
  client_.Eval(*shared->script, shared->keys, shared->arguments, std::move(answered),
               {.patience_ms = shared->patience_ms});
}

// Asks on the store Core, reads the reply and answers on the Core that asked.
template <typename Answer, typename Decode>
void RedisLogs::Ask(Question question, Decode decode, Then<Answer> then) {
  Core* home = Core::Current();
  Reply answered = [this, home, decode, then = std::move(then)](Result<RespReply> reply) {
    auto answer = [decode, then, reply = std::make_shared<Result<RespReply>>(std::move(reply))] {
      then(reply->ok() ? decode(**reply) : Result<Answer>(reply->status()));
    };
    if (home == nullptr || home == &core_) return answer();
    home->Post(std::move(answer));
  };
  OnStoreCore([this, question = std::make_shared<Question>(std::move(question)), answered = std::move(answered)] {
    Evaluate(std::move(*question), answered);
  });
}

void RedisLogs::Open(const std::string& user, const std::string& device, Then<LogOpening> then) {
  Question question = QuestionFor(scripts_->open, user, {DevicesKey(user)}, {device});
  question.patience_ms = kOpenPatienceMs;
  question.repeatable = true;
  auto decode = [user](const RespReply& reply) { return DecodeOpening(reply, user); };
  Ask<LogOpening>(std::move(question), decode, std::move(then));
}

void RedisLogs::Read(const std::string& user, EntryId after, size_t max_entries, size_t max_bytes,
                     Then<LogPiece> then) {
  std::vector<std::string> arguments;
  PushId(arguments, after);
  arguments.push_back(Exact(max_entries));
  arguments.push_back(Exact(max_bytes));
  Question question = QuestionFor(scripts_->read, user, {}, std::move(arguments));
  question.patience_ms = kReadPatienceMs;
  question.repeatable = true;
  auto decode = [after](const RespReply& reply) { return DecodePiece(reply, after); };
  Ask<LogPiece>(std::move(question), decode, std::move(then));
}

void RedisLogs::Trace(const std::string& user, const std::string& nid, Then<LogTrace> then) {
  Question question = QuestionFor(scripts_->trace, user, {DevicesKey(user)}, {nid});
  question.patience_ms = kOpenPatienceMs;
  question.repeatable = true;
  Ask<LogTrace>(std::move(question), &DecodeTrace, std::move(then));
}

void RedisLogs::List(const std::string& user, EntryId before, size_t limit, ListFilter filter, Then<ListPage> then) {
  std::vector<std::string> arguments;
  PushId(arguments, before);
  arguments.push_back(Exact(limit));
  arguments.push_back(std::to_string(static_cast<int>(filter)));
  arguments.push_back(std::to_string(kMaxPageBytes));
  arguments.push_back(std::to_string(kMaxListScan));
  Question question = QuestionFor(scripts_->list, user, {}, std::move(arguments));
  question.patience_ms = kReadPatienceMs;
  question.repeatable = true;
  Ask<ListPage>(std::move(question), DecodePage, std::move(then));
}

void RedisLogs::Ack(const std::string& user, const std::string& device, EntryId cursor, Urgency urgency,
                    std::function<void(const Status&)> then) {
  AckIn(user, device, {}, cursor, urgency, std::move(then));
}

void RedisLogs::AckIn(const std::string& user, const std::string& device, const std::string& topic, EntryId cursor,
                      Urgency urgency, std::function<void(const Status&)> then) {
  then = BackHome(core_, std::move(then));
  OnStoreCore([this, user, of = std::pair(device, topic), cursor, urgency, then = std::move(then)] {
    if (urgency == Urgency::kNow) {
      Receipts now;
      now.of[of] = {cursor, {then}};
      return StoreReceipts(user, std::move(now), urgency);
    }
    if (receipts_.empty()) {
      core_.After(kReceiptsMs, [this, life = std::weak_ptr(life_)] {
        if (!life.expired()) FlushReceipts();
      });
    }
    Receipts::Receipt& receipt = receipts_[user].of[of];
    receipt.cursor = std::max(receipt.cursor, cursor);
    receipt.thens.push_back(then);
  });
}

void RedisLogs::FlushReceipts() {
  for (auto& [user, receipts] : std::exchange(receipts_, {})) StoreReceipts(user, std::move(receipts), Urgency::kLater);
}

void RedisLogs::StoreReceipts(const std::string& user, Receipts receipts, Urgency urgency) {
  std::vector<std::string> arguments = {std::to_string(NowMs())};
  for (const auto& [of, receipt] : receipts.of) {
    arguments.push_back(of.first);
    arguments.push_back(of.second);
    PushId(arguments, receipt.cursor);
  }
  Question question = QuestionFor(scripts_->ack, user, {DevicesKey(user), CursorsKey(user)}, std::move(arguments));
  question.repeatable = urgency == Urgency::kLater;  // they only grow
  if (question.repeatable) question.patience_ms = kReadPatienceMs;
  Evaluate(std::move(question), [receipts = std::move(receipts)](const Result<RespReply>& reply) {
    const Status status = reply.ok() ? base::Ok() : reply.status();
    for (const auto& [of, receipt] : receipts.of) {
      for (const auto& then : receipt.thens) then(status);
    }
  });
}

void RedisLogs::Mark(MarkRequest request, Then<Counts> then) {
  // Redis is told what to spare with the op.
  const int op = request.spare == Spare::kRead ? kRetract : static_cast<int>(request.op);
  std::vector<std::string> arguments = {std::to_string(op), request.device, std::to_string(NowMs()),
                                        std::to_string(options_.max_entries), request.mid};
  if (request.upto) {
    PushId(arguments, *request.upto);
  } else {
    arguments.insert(arguments.end(), {"", ""});
    for (std::string& nid : request.nids) arguments.push_back(std::move(nid));
  }
  const std::string& user = request.user;
  Question question = QuestionFor(scripts_->mark, user, {WatchersKey(user), MarkIdsKey(user), CollapseKeysKey(user)},
                                  std::move(arguments));
  auto marked = [this, user, then = BackHome(core_, std::move(then))](const Result<RespReply>& reply) {
    if (!reply.ok()) return then(reply.status());
    auto mark = DecodeMark(*reply);
    if (!mark.ok()) return then(mark.status());
    const Counts counts = mark->counts;
    if (!mark->update.entries.empty()) {
      const StateChange& change = *mark->update.entries.front()->change;
      if (change.op == MarkOp::kExpire) expired.Add(static_cast<int64_t>(change.nids.size()));
      mark->update.user = user;
      TellChange(std::move(mark->update), std::move(mark->watchers));
    }
    then(counts);
  };
  OnStoreCore([this, question = std::make_shared<Question>(std::move(question)), marked = std::move(marked)] {
    Evaluate(std::move(*question), marked);
  });
}

void RedisLogs::TellChange(LogUpdate update, std::vector<std::string> watchers) {
  std::erase(watchers, options_.node);
  if (options_.on_changed && !watchers.empty()) options_.on_changed(update, watchers);
  if (options_.listener == nullptr) return;
  std::vector<LogUpdate> updates;
  updates.push_back(std::move(update));
  options_.listener->OnCommitted(std::move(updates));
}

// What stands behind the id of an item (redis_append.lua).
std::string RedisLogs::ItemOf(const AppendRequest::Item& item, const LogEntry& entry) {
  constexpr char kPassedOver = 0, kLimited = 4;
  if (item.way == AppendRequest::Way::kPassOver) return {kPassedOver, static_cast<char>(item.priority)};
  std::string bytes;
  if (item.limit != nullptr) {
    const auto number = [&bytes](uint64_t value, int size) {
      for (int at = size - 1; at >= 0; --at) bytes.push_back(static_cast<char>(value >> (8 * at)));
    };
    bytes.push_back(kLimited);
    number(item.limit->most, 4);
    number(static_cast<uint64_t>(item.limit->window_ms), 6);
  }
  return bytes + EncodeElementEntry(entry);
}

LogEntry RedisLogs::EntryOf(AppendRequest::Item& item) {
  LogEntry entry;
  entry.nid = std::move(item.nid);
  entry.priority = item.priority;
  entry.json = std::move(item.json);
  entry.traits = std::move(item.traits);
  return entry;
}

void RedisLogs::Append(AppendRequest request, std::function<void(Result<Appended>)> then) {
  CHECK(!request.items.empty() && request.items.size() <= kMaxAppendItems);
  const std::string& user = request.user;
  const std::string& source = request.source_stream.empty() ? request.stream : request.source_stream;
  std::vector<std::string> arguments = {request.stream,          Exact(request.fence),
                                        std::to_string(NowMs()), std::to_string(options_.max_entries),
                                        StreamTag(source),       Exact(request.preferences_tag)};
  std::vector<std::string> keys = {WatchersKey(user), CollapseKeysKey(user)};
  std::vector<LogEntry> entries;
  bool limited = false;
  for (AppendRequest::Item& item : request.items) {
    limited |= item.limit != nullptr;
    entries.push_back(EntryOf(item));
    std::string argument;
    item.source.EncodeTo(argument);
    argument += ItemOf(item, entries.back());
    arguments.push_back(std::move(argument));
  }
  if (limited) keys.insert(keys.end(), {WindowsKey(BucketOf(user)), WindowEndsKey(BucketOf(user))});
  Question question = QuestionFor(scripts_->append, user, std::move(keys), std::move(arguments));
  auto kept = std::make_shared<std::vector<LogEntry>>(std::move(entries));
  Evaluate(std::move(question), [this, user, kept, then = std::move(then)](const Result<RespReply>& reply) {
    then(reply.ok() ? ReadAppended(*reply, user, *kept) : Result<Appended>(reply.status()));
  });
}

Result<Appended> RedisLogs::ReadAppended(const RespReply& reply, const std::string& user,
                                         std::vector<LogEntry>& entries) const {
  auto decoded = DecodeAppend(reply, entries.size());
  if (!decoded.ok()) return decoded.status();
  Appended appended{std::move(decoded->update), std::move(decoded->watchers), {}, decoded->other_preferences};
  appended.update.user = user;
  collapsed.Add(static_cast<int64_t>(decoded->replaced.size()));
  for (auto& [at, nid, change] : decoded->replaced) entries[at].traits.replaces.push_back(std::move(nid));
  const auto& watchers = appended.watchers;
  const bool watched = std::find(watchers.begin(), watchers.end(), options_.node) != watchers.end();
  for (size_t at = 0; at < decoded->ids.size(); ++at) {
    const EntryId id = decoded->ids[at];
    if (id.ms == 0) {
      appended.fates.push_back(id.seq == 0 ? Fate::kHadBefore : id.seq == 1 ? Fate::kPassedOver : Fate::kSummedUp);
      continue;
    }
    appended.fates.push_back(Fate::kAppended);
    if (!watched) continue;
    for (const auto& replaced : decoded->replaced) {
      if (replaced.item == at) appended.update.entries.push_back(replaced.change);
    }
    entries[at].id = id;
    appended.update.entries.push_back(std::make_shared<const LogEntry>(std::move(entries[at])));
  }
  return appended;
}

void RedisLogs::Watch(const std::string& user) {
  OnStoreCore([this, user] {
    if (++watched_[user].watchers == 1) SendWatch(user, Hint::kNone);
  });
}

void RedisLogs::Unwatch(const std::string& user) {
  OnStoreCore([this, user] {
    auto found = watched_.find(user);
    if (found == watched_.end() || --found->second.watchers > 0) return;
    watched_.erase(found);
    DropWatcher(user, options_.node);
  });
}

void RedisLogs::SendWatch(const std::string& user, Hint hint) {
  const uint64_t send = ++watch_sends_;
  watched_[user].send = send;
  Question question = QuestionFor(scripts_->watch, user, {WatchersKey(user)}, {options_.node});
  Evaluate(std::move(question), [this, user, hint, send](const Result<RespReply>& reply) {
    auto found = watched_.find(user);
    if (found == watched_.end() || found->second.send != send) return;  // a later one counts
    if (!reply.ok()) {
      if (reply.status().code() == Code::kCancelled) return;
      found->second.send = kUnsent;
      unsent_.push_back(user);
      return SendUnsentWatchesIn(kWatchRetryMs);
    }
    auto head = DecodeHeadReply(*reply);
    if (hint == Hint::kHead && head.ok()) Hinted({user, {}, head->floor, head->counts, head->last, head->last});
  });
}

void RedisLogs::Hinted(LogUpdate hint) {
  if (options_.listener == nullptr) return;
  hints_.push_back(std::move(hint));
  if (hints_.size() > 1) return;
  core_.Post([this, life = std::weak_ptr(life_)] {
    if (!life.expired()) options_.listener->OnCommitted(std::exchange(hints_, {}));
  });
}

void RedisLogs::SendUnsentWatchesIn(int64_t ms) {
  if (std::exchange(watch_timer_, true)) return;
  core_.After(ms, [this, life = std::weak_ptr(life_)] {
    if (life.expired()) return;
    watch_timer_ = false;
    SendUnsentWatches();
  });
}

void RedisLogs::SendUnsentWatches() {
  const bool outage = !client_.connected();
  const size_t at_once = outage ? kWatchesAtOnceInOutage : kWatchesAtOnce;
  for (size_t sent = 0; sent < at_once && !unsent_.empty(); ++sent) {
    const std::string user = std::move(unsent_.front());
    unsent_.pop_front();
    auto found = watched_.find(user);
    if (found != watched_.end() && found->second.send == kUnsent) SendWatch(user, Hint::kHead);
  }
  if (!unsent_.empty()) SendUnsentWatchesIn(outage ? kWatchesApartInOutageMs : kWatchesApartMs);
}

void RedisLogs::WatchAgain() {
  unsent_.clear();
  for (auto& [user, watched] : watched_) {
    watched.send = kUnsent;
    unsent_.push_back(user);
  }
  SendUnsentWatches();
}

void RedisLogs::DropWatcher(const std::string& user, const std::string& node) {
  const std::string key = WatchersKey(user);
  client_.Call(key, {"HDEL", key, node}, [](const Result<RespReply>&) {
    // One that stays is told what it need not know, and unwatches it again.
  });
}

// Asks every bucket, and answers the sum of what they answer, or the first failure.
void RedisLogs::EveryBucket(const std::function<void(int bucket, Reply)>& ask,
                            std::function<void(Result<int64_t>)> then) {
  struct Sum {
    int open = 1;  // this function
    int64_t sum = 0;
    Status failure;
  };
  auto sum = std::make_shared<Sum>();
  auto close = [sum, then = std::move(then)] {
    if (--sum->open > 0) return;
    then(sum->failure.ok() ? Result<int64_t>(sum->sum) : Result<int64_t>(sum->failure));
  };
  for (int bucket = 0; bucket < kBuckets; ++bucket) {
    ++sum->open;
    ask(bucket, [sum, close](const Result<RespReply>& reply) {
      if (reply.ok()) {
        sum->sum += reply->integer;
      } else if (sum->failure.ok()) {
        sum->failure = reply.status();
      }
      close();
    });
  }
  core_.Post(close);
}

void RedisLogs::Prepare(std::function<void(Result<int>)> then) {
  auto ask = [this](int bucket, Reply answered) {
    const std::string key = logs::BucketKey(bucket);
    auto read = [this, bucket, answered = std::move(answered)](Result<RespReply> reply) {
      if (reply.ok() && reply->is_error()) return answered(FailureOf(*reply, bucket));
      answered(std::move(reply));
    };
    client_.Call(key, {"HSETNX", key, "epoch", options_.random->Hex(8)}, std::move(read));
  };
  EveryBucket(ask, [then = std::move(then)](const Result<int64_t>& made) {
    then(made.ok() ? Result<int>(static_cast<int>(*made)) : Result<int>(made.status()));
  });
}

void RedisLogs::RaiseFence(const std::string& stream, uint64_t fence, std::function<void(const Status&)> then) {
  auto ask = [&](int bucket, Reply answered) {
    Evaluate({&scripts_->fence, bucket, {logs::BucketKey(bucket)}, {stream, Exact(fence)}, kWritePatienceMs, false},
             std::move(answered));
  };
  EveryBucket(ask, [then = std::move(then)](const Result<int64_t>& raised) {
    then(raised.ok() ? base::Ok() : raised.status());
  });
}

}  // namespace tocsin::logs
