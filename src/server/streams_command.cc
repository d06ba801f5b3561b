// tocsin streams, tocsin groups: what stands in the streams, and how far its groups are.
#include <cstdio>
#include <set>

#include "model/entry_id.h"
#include "server/operator_session.h"
#include "server/terminal.h"

namespace tocsin::server {
namespace {

using base::Code;
using base::Result;
using base::Status;
using Align = Table::Align;

constexpr size_t kKeysAtOnce = 20;                   // XINFO answers with two whole entries a stream
constexpr uint64_t kFirstClockMs = 100'000'000'000;  // an id below was not made from a clock: it has no age

struct Summary {
  std::string name;
  int64_t length = 0;
  std::string last_id{};
  int64_t groups = 0;
  std::optional<int64_t> oldest_ms{};  // age; nothing: empty, or its ids are no times
  int64_t bytes = 0;
};

Summary SummaryOf(const std::string& name, const RedisReply& stream, const RedisReply& usage, int64_t now_ms) {
  Summary summary{.name = name,
                  .length = stream.Find("length").integer,
                  .last_id = stream.Find("last-generated-id").text,
                  .groups = stream.Find("groups").integer,
                  .bytes = usage.integer};
  const auto oldest = model::EntryId::Parse(stream.Find("first-entry").At(0).text);
  if (oldest && oldest->ms >= kFirstClockMs && oldest->ms <= static_cast<uint64_t>(INT64_MAX)) {
    summary.oldest_ms = std::max<int64_t>(now_ms - static_cast<int64_t>(oldest->ms), 0);
  }
  return summary;
}

Table SummaryTable() {
  return Table({{"stream"},
                {"length", Align::kRight},
                {"groups", Align::kRight},
                {"oldest", Align::kRight},
                {"size", Align::kRight},
                {"last id"}});
}

void Add(Table& table, const Summary& summary) {
  table.Add({Escaped(summary.name), std::to_string(summary.length), std::to_string(summary.groups),
             summary.oldest_ms ? ShortAge(*summary.oldest_ms) : "-", ShortBytes(static_cast<uint64_t>(summary.bytes)),
             Escaped(summary.last_id)});
}

JsonLine JsonOf(const Summary& summary) {
  JsonLine json;
  json.Text("stream", summary.name).Number("length", summary.length).Text("last_id", summary.last_id);
  json.Number("groups", summary.groups);
  summary.oldest_ms ? json.Number("oldest_ms", *summary.oldest_ms) : json.Null("oldest_ms");
  json.Number("bytes", summary.bytes);
  return json;
}

// Those of the keys that are streams still: one may go at any time.
Result<std::vector<Summary>> Summarize(RedisClient& redis, std::span<const std::string> keys, int64_t now_ms) {
  std::vector<RedisCommand> commands;
  for (const std::string& key : keys) {
    commands.push_back({"XINFO", "STREAM", key});
    commands.push_back({"MEMORY", "USAGE", key});
  }
  Result<std::vector<RedisReply>> replies = redis.Pipeline(commands);
  if (!replies.ok()) return replies.status();
  std::vector<Summary> summaries;
  for (size_t i = 0; i < keys.size(); ++i) {
    const RedisReply &stream = (*replies)[2 * i], &usage = (*replies)[2 * i + 1];
    if (stream.is_error()) {
      Status status = StatusOf(stream);
      if (status.code() == Code::kNotFound || status.code() == Code::kConflict) continue;
      return status;
    }
    if (usage.is_error()) return StatusOf(usage);
    summaries.push_back(SummaryOf(keys[i], stream, usage, now_ms));
  }
  return summaries;
}

Status ListAll(RedisClient& redis, Output output, int64_t now_ms) {
  Table table = SummaryTable();
  Progress progress;
  std::set<std::string> seen;  // SCAN may name a key twice
  std::string cursor = "0";
  do {
    Result<RedisReply> page = redis.Run({"SCAN", cursor, "COUNT", "200", "TYPE", "stream"});
    if (!page.ok()) return page.status();
    cursor = page->At(0).text;
    std::vector<std::string> keys;
    for (const RedisReply& key : page->At(1).elements) {
      if (seen.insert(key.text).second) keys.push_back(key.text);
    }
    for (size_t at = 0; at < keys.size(); at += kKeysAtOnce) {
      const size_t size = std::min(kKeysAtOnce, keys.size() - at);
      Result<std::vector<Summary>> summaries = Summarize(redis, std::span(keys).subspan(at, size), now_ms);
      if (!summaries.ok()) return summaries.status();
      for (const Summary& summary : *summaries) {
        if (output == Output::kJson) {
          std::printf("%s\n", JsonOf(summary).ToString().c_str());
        } else {
          Add(table, summary);
        }
      }
    }
    progress.Tell("streams read:", seen.size(), 0);
  } while (cursor != "0" && !cursor.empty());
  if (output == Output::kJson) return base::Ok();
  table.Sort();
  std::fputs(table.ToString().c_str(), stdout);
  if (table.size() == 0) std::fputs("(there is no stream yet)\n", stdout);
  return base::Ok();
}

// XINFO STREAM FULL: groups, consumers and the first pending entry of each, in one answer and with the scope `read`.
Result<RedisReply> ReadFull(RedisClient& redis, const std::string& stream) {
  Result<RedisReply> full = redis.Run({"XINFO", "STREAM", stream, "FULL", "COUNT", "1"});
  if (!full.ok() && full.status().code() == Code::kNotFound) return NoStream(stream);
  return full;
}

std::string NumberOr(const RedisReply& number, std::string_view otherwise) {
  return number.kind == RedisReply::Kind::kInteger ? std::to_string(number.integer) : std::string(otherwise);
}

std::string AgeOf(const RedisReply& then_ms, int64_t now_ms) {
  return then_ms.kind == RedisReply::Kind::kInteger && then_ms.integer >= 0 ? ShortAge(now_ms - then_ms.integer) : "-";
}

Table GroupTable() {
  return Table({{"group, consumer"},
                {"consumers", Align::kRight},
                {"pending", Align::kRight},
                {"lag", Align::kRight},
                {"idle", Align::kRight},
                {"last delivered"}});
}

void AddGroups(Table& table, const RedisReply& full, int64_t now_ms) {
  for (const RedisReply& group : full.Find("groups").elements) {
    const RedisReply& consumers = group.Find("consumers");
    table.Add({Escaped(group.Find("name").text), std::to_string(consumers.elements.size()),
               NumberOr(group.Find("pel-count"), "0"), NumberOr(group.Find("lag"), "-"),
               AgeOf(group.Find("pending").At(0).At(2), now_ms), Escaped(group.Find("last-delivered-id").text)});
    for (const RedisReply& consumer : consumers.elements) {
      table.Add({"  " + Escaped(consumer.Find("name").text), "", NumberOr(consumer.Find("pel-count"), "0"), "",
                 AgeOf(consumer.Find("seen-time"), now_ms), ""});
    }
  }
}

void AgeMember(JsonLine& json, std::string_view name, const RedisReply& then_ms, int64_t now_ms) {
  if (then_ms.kind == RedisReply::Kind::kInteger && then_ms.integer >= 0) {
    json.Number(name, std::max<int64_t>(now_ms - then_ms.integer, 0));
  } else {
    json.Null(name);
  }
}

std::string JsonOfGroup(const RedisReply& group, int64_t now_ms) {
  JsonLine json;
  json.Text("group", group.Find("name").text).Number("pending", group.Find("pel-count").integer);
  if (const RedisReply& lag = group.Find("lag"); lag.is_nil()) {
    json.Null("lag");
  } else {
    json.Number("lag", lag.integer);
  }
  AgeMember(json, "oldest_pending_idle_ms", group.Find("pending").At(0).At(2), now_ms);
  json.Text("last_delivered_id", group.Find("last-delivered-id").text);
  std::string consumers;
  for (const RedisReply& consumer : group.Find("consumers").elements) {
    JsonLine each;
    each.Text("consumer", consumer.Find("name").text).Number("pending", consumer.Find("pel-count").integer);
    AgeMember(each, "idle_ms", consumer.Find("seen-time"), now_ms);
    AgeMember(each, "inactive_ms", consumer.Find("active-time"), now_ms);
    consumers += (consumers.empty() ? "" : ",") + each.ToString();
  }
  return json.Raw("consumers", "[" + consumers + "]").ToString();
}

Status ListOne(RedisClient& redis, const StreamsOptions& options, int64_t now_ms) {
  Result<RedisReply> full = ReadFull(redis, options.stream);
  if (!full.ok()) return full.status();
  Result<std::vector<Summary>> summaries = Summarize(redis, std::span(&options.stream, 1), now_ms);
  if (!summaries.ok()) return summaries.status();
  if (summaries->empty()) return NoStream(options.stream);
  if (options.output == Output::kJson) {
    std::string groups;
    for (const RedisReply& group : full->Find("groups").elements) {
      groups += (groups.empty() ? "" : ",") + JsonOfGroup(group, now_ms);
    }
    std::printf("%s\n", JsonOf(summaries->front()).Raw("group_details", "[" + groups + "]").ToString().c_str());
    return base::Ok();
  }
  Table table = SummaryTable();
  Add(table, summaries->front());
  std::fputs(table.ToString().c_str(), stdout);
  Table groups = GroupTable();
  AddGroups(groups, *full, now_ms);
  if (groups.size() > 0) std::printf("\n%s", groups.ToString().c_str());
  return base::Ok();
}

Status RunStreams(const StreamsOptions& options, const Config& config) {
  Result<RedisClient> redis = OpenRedis(options, config);
  if (!redis.ok()) return redis.status();
  Result<int64_t> now_ms = ServerTimeMs(*redis);
  if (!now_ms.ok()) return now_ms.status();
  return options.stream.empty() ? ListAll(*redis, options.output, *now_ms) : ListOne(*redis, options, *now_ms);
}

Status RunGroups(const GroupsOptions& options, const Config& config) {
  if (options.stream.empty()) {
    return Status(Code::kInvalidArgument, "of which stream? tocsin groups notifications_stream");
  }
  Result<RedisClient> redis = OpenRedis(options, config);
  if (!redis.ok()) return redis.status();
  Result<int64_t> now_ms = ServerTimeMs(*redis);
  if (!now_ms.ok()) return now_ms.status();
  Result<RedisReply> full = ReadFull(*redis, options.stream);
  if (!full.ok()) return full.status();
  if (options.output == Output::kJson) {
    for (const RedisReply& group : full->Find("groups").elements) {
      std::printf("%s\n", JsonOfGroup(group, *now_ms).c_str());
    }
    return base::Ok();
  }
  Table table = GroupTable();
  AddGroups(table, *full, *now_ms);
  std::fputs(table.ToString().c_str(), stdout);
  if (table.size() == 0) std::fputs("(nobody has made a group; XGROUP CREATE does)\n", stdout);
  return base::Ok();
}

}  // namespace

int Streams(const StreamsOptions& options, const Config& config) {
  return Report("streams", RunStreams(options, config));
}

int Groups(const GroupsOptions& options, const Config& config) { return Report("groups", RunGroups(options, config)); }

}  // namespace tocsin::server
