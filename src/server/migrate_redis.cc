// A Redis or Valkey at one end of a migration. The client lives on a Core of its own; this thread asks and waits.
#include <algorithm>
#include <charconv>
#include <future>
#include <map>
#include <set>
#include <thread>

#include "logs/redis_element.h"
#include "logs/redis_keys.h"
#include "model/bytes.h"
#include "nodes/keys.h"
#include "nodes/redis_engine.h"
#include "notifier/scheduled_row.h"
#include "redis/client.h"
#include "runtime/core.h"
#include "server/migrate_end.h"
#include "server/migrate_head.h"
#include "server/migrate_schedule.h"

namespace tocsin::server {
namespace {

using base::Code;
using base::Result;
using base::Status;
using model::EntryId;
using wire::RespReply;

constexpr int64_t kPatienceMs = 60'000;
constexpr size_t kCallsAtOnce = 256;
constexpr size_t kElementsAtOnce = 256, kBytesAtOnce = 4 << 20;
constexpr std::string_view kLogKeys = "tocsin:{b*}:log:*";

uint64_t Number(std::string_view text) {
  uint64_t value = 0;
  std::from_chars(text.data(), text.data() + text.size(), value);
  return value;
}

Status StatusOf(const RespReply& reply) {
  return reply.is_error() ? Status(Code::kInternal, "the Redis answered: " + reply.text) : base::Ok();
}

Status Damaged(std::string_view user) {
  return Status(Code::kCorruption, "the log of user `" + std::string(user) + "` on the Redis cannot be read");
}

// KEYS: windows of rate limits. Answers in how many of them something is summed up.
const redis::Script& UntoldScript() {
  static const redis::Script script(R"lua(
local untold = 0
for _, packed in ipairs(redis.call('HVALS', KEYS[1])) do
  if cmsgpack.unpack(packed)[3] > 0 then untold = untold + 1 end
end
return untold
)lua");
  return script;
}

class RedisEnd final : public MigrationEnd {
 public:
  explicit RedisEnd(redis::Deployment deployment)
      : name_(deployment.ToString()),
        core_(-1, base::SystemClock()),
        client_(redis::Connect(core_, {.deployment = std::move(deployment), .name = "tocsin-migrate"})),
        thread_([this] { core_.Run(); }) {}

  ~RedisEnd() override {
    std::promise<void> stopped;
    core_.Post([&] {
      client_->Stop();
      client_.reset();
      stopped.set_value();
    });
    stopped.get_future().wait();
    core_.Stop();
    thread_.join();
  }

  // It answers, and no node is at work on it.
  Status Open(const std::vector<std::string>& ingest) {
    for (const std::string& stream : ingest) {
      const std::string lease = nodes::StreamKey(stream, "lease");
      auto replies = Run(lease, {{"GET", lease}});
      if (!replies.ok()) return Status(replies.status().code(), name_ + ": " + std::string(replies.status().message()));
      RETURN_IF_ERROR(StatusOf(replies->front()));
      if (replies->front().type == RespReply::Type::kNull) continue;
      return Status(Code::kConflict, "a Tocsin node (" + replies->front().text + ") is at work on " + name_ +
                                         ": end every node first, and wait some seconds");
    }
    return base::Ok();
  }

  Status CheckEmpty(const std::vector<std::string>& streams) override {
    std::vector<std::string> keys;
    for (int bucket = 0; bucket < logs::kBuckets; ++bucket) keys.push_back(logs::BucketKey(bucket));
    for (const std::string& stream : streams) keys.push_back(stream);
    for (const std::string& key : keys) Send(key, {"EXISTS", key});
    auto replies = Wait();
    if (!replies.ok()) return replies.status();
    for (size_t i = 0; i < keys.size(); ++i) {
      RETURN_IF_ERROR(StatusOf((*replies)[i]));
      if ((*replies)[i].integer == 0) continue;
      return Status(Code::kConflict, name_ + " has the key `" + keys[i] +
                                         "` already: migrate into a Redis that Tocsin has not used yet");
    }
    return base::Ok();
  }

  Result<std::vector<std::string>> Streams(const std::vector<std::string>& wanted) override {
    std::vector<std::string> names;
    for (const std::string& stream : wanted) {
      auto replies = Run(stream, {{"TYPE", stream}});
      if (!replies.ok()) return replies.status();
      if (replies->front().text == "stream") names.push_back(stream);
    }
    return names;
  }

  Result<std::vector<RespReply>> Run(const std::string& key, const std::vector<RespCommand>& commands) override {
    for (const RespCommand& command : commands) Send(key, command);
    return Wait();
  }

  Result<std::string> Epoch() override {
    for (int bucket = 0; bucket < logs::kBuckets; ++bucket) {
      Send(logs::BucketKey(bucket), {"HGET", logs::BucketKey(bucket), "epoch"});
    }
    auto replies = Wait();
    if (!replies.ok()) return replies.status();
    for (const RespReply& reply : *replies) {
      RETURN_IF_ERROR(StatusOf(reply));
      if (reply.text.empty() || reply.text != replies->front().text) return std::string();
    }
    return replies->front().text;
  }

  Status Begin(const std::string& epoch) override {
    for (int bucket = 0; bucket < logs::kBuckets; ++bucket) {
      const std::string key = logs::BucketKey(bucket);
      Send(key, {"HSETNX", key, "epoch", epoch.empty() ? base::SystemRandom().Hex(16) : epoch});
    }
    return Flush();
  }

  Status ReadLogs(const std::vector<std::string>& streams, int64_t now_ms, const Take& take) override {
    for (int bucket = 0; bucket < logs::kBuckets; ++bucket) SendEval(UntoldScript(), logs::WindowsKey(bucket), {});
    auto untold = Wait();
    if (!untold.ok()) return untold.status();
    for (const RespReply& reply : *untold) {
      RETURN_IF_ERROR(StatusOf(reply));
      if (reply.integer > 0) return Status(Code::kConflict, kUntoldDigests);
    }
    std::map<std::string, std::string> names;
    for (const std::string& stream : streams) {
      const std::string scheduled = stream + std::string(notifier::kScheduledSuffix);
      names[logs::StreamTag(stream)] = stream;
      names[logs::StreamTag(scheduled)] = scheduled;
    }
    auto lost = LossMarks();
    if (!lost.ok()) return lost.status();
    std::set<std::string> seen;  // SCAN may tell a key twice
    std::map<std::string, std::string> primaries = Primaries();
    for (const auto& [address, key] : primaries) {
      std::string cursor = "0";
      do {
        auto page = Run(key, {{"SCAN", cursor, "MATCH", std::string(kLogKeys), "COUNT", "1000"}});
        if (!page.ok()) return page.status();
        RETURN_IF_ERROR(StatusOf(page->front()));
        if (page->front().elements.size() != 2) return Status(Code::kInternal, "SCAN was answered otherwise");
        cursor = page->front().elements[0].text;
        std::vector<std::string> users;
        for (const RespReply& found : page->front().elements[1].elements) {
          std::string user = UserOf(found.text);
          if (!user.empty() && seen.insert(user).second) users.push_back(std::move(user));
        }
        RETURN_IF_ERROR(ReadUsers(users, names, *lost, now_ms, take));
      } while (cursor != "0");
    }
    return base::Ok();
  }

  Result<uint64_t> ReadSchedule(const std::vector<std::string>& ingest, const TakeScheduled& take) override {
    return ReadRedisSchedule(*this, ingest, take);
  }
  Status WriteSchedule(const std::string& stream, const std::vector<notifier::Timer>& timers,
                       uint64_t number) override {
    return WriteRedisSchedule(*this, stream, timers, number);
  }

  Status WriteLog(const UserRecord& record) override {
    const std::string log = logs::LogKey(record.user);
    std::vector<std::string> elements;
    std::map<std::string, std::string> collapse_keys;
    for (const logs::LogLine& line : record.lines) {
      const EntryId id = line.entry->id;
      if (id.ms > logs::kMaxLogMs || id.seq > logs::kMaxLogSeq) {
        return Status(Code::kInvalidArgument, "the log of user `" + record.user + "` has the id " + id.ToString() +
                                                  ", which is too high for a log on Redis");
      }
      std::string element(1, static_cast<char>(line.entry->is_item() ? line.state : logs::ItemState::kUnread));
      model::PutBig64(element, id.ms << 16 | id.seq);
      if (const std::string& key = line.entry->traits.collapse_key; !key.empty())
        collapse_keys[key] = element.substr(1);
      elements.push_back(element + logs::EncodeElementEntry(*line.entry));
    }
    SendEval(WriteHeadScript(), log, HeadWordsOf(record.head, elements.size(), record.preferences));
    if (!record.preferences.empty()) {
      const std::string key = logs::UserPreferencesKey(record.user);
      Send(key, {"SET", key, record.preferences});
    }
    for (size_t at = 0; at < elements.size();) {
      RespCommand push = {"RPUSH", log};
      for (size_t bytes = 0; at < elements.size() && push.size() < kElementsAtOnce && bytes < kBytesAtOnce; ++at) {
        bytes += elements[at].size();
        push.push_back(std::move(elements[at]));
      }
      Send(log, std::move(push));
      if (bytes_ >= kBytesAtOnce) RETURN_IF_ERROR(Flush());
    }
    if (!collapse_keys.empty()) {
      RespCommand set = {"HSET", logs::CollapseKeysKey(record.user)};
      for (const auto& [key, newest] : collapse_keys) set.insert(set.end(), {key, newest});
      Send(set[1], set);
    }
    if (!record.devices.empty()) {
      RespCommand set = {"HSET", logs::DevicesKey(record.user)};
      for (const auto& [device, stored] : record.devices) {
        std::string bytes;
        model::PutBig64(bytes, stored.cursor.ms << 16 | stored.cursor.seq);
        std::string heard;
        model::PutBig64(heard, static_cast<uint64_t>(stored.heard_ms));
        set.push_back(device);
        set.push_back(bytes + heard.substr(2));
      }
      Send(set[1], set);
    }
    if (!record.mark_ids.empty()) {
      RespCommand set = {"HSET", logs::MarkIdsKey(record.user)};
      for (const auto& [mid, at_ms] : record.mark_ids) {
        set.push_back(mid);
        set.push_back(std::to_string(at_ms));
      }
      Send(set[1], set);
      Send(set[1], {"PEXPIRE", set[1], std::to_string(model::kMarkIdMs)});
    }
    return sends_.size() >= kCallsAtOnce ? Flush() : base::Ok();
  }

  Status Flush() override {
    auto replies = Wait();
    if (!replies.ok()) return replies.status();
    for (const RespReply& reply : *replies) RETURN_IF_ERROR(StatusOf(reply));
    return base::Ok();
  }

 private:
  struct Pending {
    std::promise<void> done;
    std::vector<Result<RespReply>> replies;
    size_t missing = 0;
  };

  // Sends; Wait() has the replies, in this order.
  void Send(const std::string& key, RespCommand command) {
    for (const std::string& word : command) bytes_ += word.size();
    sends_.push_back([this, key, command = std::move(command)](redis::Then then) mutable {
      client_->Call(key, std::move(command), std::move(then), {.patience_ms = kPatienceMs});
    });
  }
  void SendEval(const redis::Script& script, const std::string& key, std::vector<std::string> arguments) {
    sends_.push_back([this, &script, key, arguments = std::move(arguments)](redis::Then then) mutable {
      client_->Eval(script, {key}, std::move(arguments), std::move(then), {.patience_ms = kPatienceMs});
    });
  }

  Result<std::vector<RespReply>> Wait() {
    std::vector<std::function<void(redis::Then)>> sends = std::move(sends_);
    sends_.clear();
    bytes_ = 0;
    std::vector<RespReply> replies;
    if (sends.empty()) return replies;
    auto pending = std::make_shared<Pending>();
    pending->missing = sends.size();
    for (size_t i = 0; i < sends.size(); ++i) pending->replies.emplace_back(RespReply{});
    std::future<void> done = pending->done.get_future();
    core_.Post([pending, sends = std::move(sends)] {
      for (size_t i = 0; i < sends.size(); ++i) {
        sends[i]([pending, i](Result<RespReply> reply) {
          pending->replies[i] = std::move(reply);
          if (--pending->missing == 0) pending->done.set_value();
        });
      }
    });
    done.wait();
    for (Result<RespReply>& reply : pending->replies) {
      if (!reply.ok()) return reply.status();
      replies.push_back(std::move(*reply));
    }
    return replies;
  }

  // A key on each primary.
  std::map<std::string, std::string> Primaries() {
    std::promise<std::map<std::string, std::string>> found;
    core_.Post([&] {
      std::map<std::string, std::string> primaries;
      for (int bucket = 0; bucket < logs::kBuckets; ++bucket) {
        const std::string key = logs::BucketKey(bucket);
        primaries.emplace(client_->AddressOf(key), key);
      }
      found.set_value(std::move(primaries));
    });
    return found.get_future().get();
  }

  // Of each bucket: ids up to here may have been given out. A log goes on above it.
  Result<std::vector<EntryId>> LossMarks() {
    for (int bucket = 0; bucket < logs::kBuckets; ++bucket) {
      Send(logs::BucketKey(bucket), {"HGET", logs::BucketKey(bucket), "lost"});
    }
    auto replies = Wait();
    if (!replies.ok()) return replies.status();
    std::vector<EntryId> marks;
    for (const RespReply& reply : *replies) {
      const size_t dash = std::min(reply.text.find('-'), reply.text.size());
      marks.push_back(
          {Number(reply.text.substr(0, dash)), Number(reply.text.substr(std::min(dash + 1, reply.text.size())))});
    }
    return marks;
  }

  // "tocsin:{b17}:log:3:ada" -> "ada"; empty: it is no such key.
  static std::string UserOf(const std::string& key) {
    const size_t kind = key.find(":log:");
    const size_t colon = kind == key.npos ? key.npos : key.find(':', kind + 5);
    if (colon == key.npos) return "";
    std::string user = key.substr(colon + 1);
    return logs::LogKey(user) == key ? user : std::string();
  }

  Status ReadUsers(const std::vector<std::string>& users, const std::map<std::string, std::string>& names,
                   const std::vector<EntryId>& lost, int64_t now_ms, const Take& take) {
    constexpr size_t kCallsOfUser = 5;
    for (size_t at = 0; at < users.size(); at += kCallsAtOnce / kCallsOfUser) {
      const size_t end = std::min(users.size(), at + kCallsAtOnce / kCallsOfUser);
      for (size_t i = at; i < end; ++i) {
        const std::string& user = users[i];
        SendEval(ReadHeadScript(), logs::LogKey(user), {});
        Send(logs::LogKey(user), {"LRANGE", logs::LogKey(user), "1", std::to_string(kElementsAtOnce)});
        Send(logs::DevicesKey(user), {"HGETALL", logs::DevicesKey(user)});
        Send(logs::MarkIdsKey(user), {"HGETALL", logs::MarkIdsKey(user)});
        Send(logs::UserPreferencesKey(user), {"GET", logs::UserPreferencesKey(user)});
      }
      auto replies = Wait();
      if (!replies.ok()) return replies.status();
      for (size_t i = at; i < end; ++i) {
        const RespReply* mine = &(*replies)[(i - at) * kCallsOfUser];
        for (size_t n = 0; n < kCallsOfUser; ++n) RETURN_IF_ERROR(StatusOf(mine[n]));
        UserRecord record;
        record.user = users[i];
        if (!ReadHeadWords(mine[0], names, record.head)) return Damaged(record.user);
        RETURN_IF_ERROR(ReadLines(mine[1], record));
        record.preferences = mine[4].text;
        RETURN_IF_ERROR(ReadHashes(mine[2], mine[3], now_ms, record));
        const EntryId mark = lost[static_cast<size_t>(logs::BucketOf(record.user))];
        record.head.last = std::max(record.head.last, mark);
        RETURN_IF_ERROR(take(record));
      }
    }
    return base::Ok();
  }

  Status ReadLines(const RespReply& first, UserRecord& record) {
    const std::string log = logs::LogKey(record.user);
    RespReply piece = first;
    for (;;) {
      for (const RespReply& element : piece.elements) {
        auto line = logs::DecodeElement(element.text);
        if (!line.ok()) return Damaged(record.user);
        record.lines.push_back(std::move(*line));
      }
      if (piece.elements.size() < kElementsAtOnce) return base::Ok();
      const size_t from = record.lines.size() + 1;
      auto more = Run(log, {{"LRANGE", log, std::to_string(from), std::to_string(from + kElementsAtOnce - 1)}});
      if (!more.ok()) return more.status();
      RETURN_IF_ERROR(StatusOf(more->front()));
      piece = std::move(more->front());
    }
  }

  static Status ReadHashes(const RespReply& devices, const RespReply& mark_ids, int64_t now_ms, UserRecord& record) {
    for (size_t i = 0; i + 1 < devices.elements.size(); i += 2) {
      const std::string& bytes = devices.elements[i + 1].text;
      if (bytes.size() != 14) return Damaged(record.user);
      const std::string heard = std::string(2, '\0') + bytes.substr(8);
      record.devices.emplace_back(
          devices.elements[i].text,
          logs::DeviceRecord{logs::DecodeShortId(bytes), static_cast<int64_t>(model::GetBig64(heard.data()))});
    }
    for (size_t i = 0; i + 1 < mark_ids.elements.size(); i += 2) {
      const auto at_ms = static_cast<int64_t>(Number(mark_ids.elements[i + 1].text));
      if (now_ms - at_ms < model::kMarkIdMs) record.mark_ids.emplace_back(mark_ids.elements[i].text, at_ms);
    }
    return base::Ok();
  }

  const std::string name_;
  runtime::Core core_;
  std::unique_ptr<redis::Client> client_;
  std::vector<std::function<void(redis::Then)>> sends_;
  size_t bytes_ = 0;  // of them
  std::thread thread_;
};

}  // namespace

Result<std::unique_ptr<MigrationEnd>> OpenRedisEnd(const std::string& url, const std::vector<std::string>& ingest) {
  auto deployment = redis::ParseDeployment(url);
  if (!deployment.ok()) return deployment.status();
  auto end = std::make_unique<RedisEnd>(std::move(*deployment));
  RETURN_IF_ERROR(end->Open(ingest));
  return std::unique_ptr<MigrationEnd>(std::move(end));
}

}  // namespace tocsin::server
