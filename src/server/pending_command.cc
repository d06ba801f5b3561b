// tocsin pending, tocsin claim: what was delivered and not acknowledged, and handing it to somebody else.
#include <algorithm>
#include <cstdio>

#include "server/operator_session.h"
#include "server/terminal.h"

namespace tocsin::server {
namespace {

using base::Code;
using base::Result;
using base::Status;
using Align = Table::Align;

constexpr int64_t kPage = 1000;
constexpr int64_t kClaimAtOnce = 100;

Status Missing(std::string_view command, std::string_view usage) {
  return Status(Code::kInvalidArgument,
                "something is missing: tocsin " + std::string(command) + " " + std::string(usage));
}

Status NoGroupHint(const Status& status, const std::string& stream) {
  return WithHint(status, Code::kNotFound,
                  "; `tocsin streams` lists the streams, `tocsin groups " + Escaped(stream) + "` its groups");
}

// pending

void Print(const PendingOptions& options, const RedisReply& entry, Table& table) {
  const std::string &id = entry.At(0).text, &consumer = entry.At(1).text;
  const int64_t idle_ms = entry.At(2).integer, deliveries = entry.At(3).integer;
  if (options.output == Output::kReadable) {
    table.Add({Escaped(id), Escaped(consumer), ShortAge(idle_ms), std::to_string(deliveries)});
    return;
  }
  JsonLine json;
  json.Text("id", id).Text("consumer", consumer).Number("idle_ms", idle_ms).Number("deliveries", deliveries);
  std::printf("%s\n", json.ToString().c_str());
}

Status RunPending(const PendingOptions& options, const Config& config) {
  if (options.stream.empty() || options.group.empty()) {
    return Missing("pending", "STREAM GROUP, for example tocsin pending notifications_stream mailer");
  }
  if (options.count < 1) return Status(Code::kInvalidArgument, "--count is 1 or more");
  RedisCommand command = {"XPENDING", options.stream, options.group};
  if (!options.idle.empty()) {
    Result<int64_t> idle_ms = DurationOption("--idle", options.idle);
    if (!idle_ms.ok()) return idle_ms.status();
    command.insert(command.end(), {"IDLE", std::to_string(*idle_ms)});
  }
  const size_t from = command.size();
  command.insert(command.end(), {"-", "+", ""});
  if (!options.consumer.empty()) command.push_back(options.consumer);
  Result<RedisClient> redis = OpenRedis(options, config);
  if (!redis.ok()) return redis.status();

  Table table({{"id"}, {"consumer"}, {"idle", Align::kRight}, {"deliveries", Align::kRight}});
  int64_t shown = 0;
  bool more = false;
  while (!more) {
    const int64_t wanted = std::min(options.count - shown + 1, kPage);  // one over tells whether there are more
    command[from + 2] = std::to_string(wanted);
    Result<RedisReply> page = redis->Run(command);
    if (!page.ok()) return NoGroupHint(page.status(), options.stream);
    for (const RedisReply& entry : page->elements) {
      more = shown == options.count;
      if (more) break;
      Print(options, entry, table);
      ++shown;
      command[from] = "(" + entry.At(0).text;
    }
    if (page->elements.size() < static_cast<size_t>(wanted)) break;
  }
  if (options.output == Output::kReadable) {
    std::fputs(shown > 0 ? table.ToString().c_str() : "(nothing is pending)\n", stdout);
  }
  std::fflush(stdout);
  if (more) std::fprintf(stderr, "there are more: --count N shows N of them\n");
  return base::Ok();
}

// claim

class Claimer {
 public:
  Claimer(const ClaimOptions& options, std::vector<std::string> ids, RedisClient& redis)
      : options_(options), ids_(std::move(ids)), redis_(redis), table_({{"id"}, {"result"}}) {}

  Status Run(int64_t idle_ms) {
    const bool is_new = IsNewConsumer();
    Status status = ids_.empty() ? ByIdle(idle_ms) : ByIds();
    PrintSoFar(is_new);
    RETURN_IF_ERROR(NoGroupHint(status, options_.stream));
    if (not_pending_ == 0) return base::Ok();
    return Status(Code::kNotFound, std::to_string(not_pending_) + " of the ids are not pending in `" +
                                       Escaped(options_.group) + "`: acknowledged since, or never delivered");
  }

 private:
  // A mistyped consumer would be made, and nobody would read what it owns. A key that may not look is not told.
  bool IsNewConsumer() {
    Result<RedisReply> consumers = redis_.Run({"XINFO", "CONSUMERS", options_.stream, options_.group});
    return consumers.ok() &&
           std::none_of(consumers->elements.begin(), consumers->elements.end(),
                        [this](const RedisReply& each) { return each.Find("name").text == options_.consumer; });
  }

  // JUSTID: handing over is no delivery, so it does not count as one.
  Status ByIds() {
    for (size_t at = 0; at < ids_.size(); at += static_cast<size_t>(kClaimAtOnce)) {
      const size_t end = std::min(ids_.size(), at + static_cast<size_t>(kClaimAtOnce));
      const std::vector<std::string> ids(ids_.begin() + static_cast<std::ptrdiff_t>(at),
                                         ids_.begin() + static_cast<std::ptrdiff_t>(end));
      std::vector<RedisCommand> commands;
      for (const std::string& id : ids) commands.push_back({"XPENDING", options_.stream, options_.group, id, id, "1"});
      commands.push_back({"XCLAIM", options_.stream, options_.group, options_.consumer, "0"});
      commands.back().insert(commands.back().end(), ids.begin(), ids.end());
      commands.back().emplace_back("JUSTID");
      Result<std::vector<RedisReply>> replies = redis_.Pipeline(commands);
      if (!replies.ok()) return replies.status();
      if (replies->back().is_error()) return StatusOf(replies->back());
      const std::vector<RedisReply>& claimed = replies->back().elements;
      for (size_t i = 0; i < ids.size(); ++i) {
        const bool moved =
            std::any_of(claimed.begin(), claimed.end(), [&](const RedisReply& each) { return each.text == ids[i]; });
        if (moved) {
          Claimed(ids[i]);
        } else if ((*replies)[i].elements.empty()) {
          NotPending(ids[i]);
        } else {
          Deleted(ids[i]);
        }
      }
    }
    return base::Ok();
  }

  Status ByIdle(int64_t idle_ms) {
    std::string from = "0-0";
    do {
      Result<RedisReply> page =
          redis_.Run({"XAUTOCLAIM", options_.stream, options_.group, options_.consumer, std::to_string(idle_ms), from,
                      "COUNT", std::to_string(std::min(options_.count - claimed_, kClaimAtOnce)), "JUSTID"});
      if (!page.ok()) return page.status();
      from = page->At(0).text;
      for (const RedisReply& id : page->At(1).elements) Claimed(id.text);
      for (const RedisReply& id : page->At(2).elements) Deleted(id.text);
    } while (from != "0-0" && !from.empty() && claimed_ < options_.count);
    more_ = from != "0-0" && !from.empty();
    return base::Ok();
  }

  void Claimed(const std::string& id) {
    ++claimed_;
    Print(id, "claimed", "claimed");
  }
  void Deleted(const std::string& id) {
    ++deleted_;
    Print(id, "deleted", "deleted from the stream: pending no more");
  }
  void NotPending(const std::string& id) {
    ++not_pending_;
    Print(id, "not_pending", "not pending in this group");
  }

  void Print(const std::string& id, std::string_view word, std::string_view sentence) {
    if (options_.output == Output::kReadable) return table_.Add({Escaped(id), std::string(sentence)});
    JsonLine json;
    std::printf("%s\n", json.Text("id", id).Text("result", word).ToString().c_str());
  }

  void PrintSoFar(bool is_new) {
    if (options_.output == Output::kReadable && table_.size() > 0) std::fputs(table_.ToString().c_str(), stdout);
    std::fflush(stdout);
    const std::string consumer = Escaped(options_.consumer), stream = Escaped(options_.stream);
    std::string text = std::to_string(claimed_) + " claimed for `" + consumer + "`";
    if (deleted_ > 0) text += ", " + std::to_string(deleted_) + " found deleted";
    if (claimed_ > 0) {
      text += "; it gets them with XREADGROUP ... STREAMS " + stream + " 0 (its own pending ones), not with >";
    }
    if (is_new) text += "\n`" + consumer + "` was no consumer of the group before: is it spelled right?";
    if (more_) text += "\nthere may be more: run it again, or give a larger --count";
    std::fprintf(stderr, "%s\n", text.c_str());
  }

  const ClaimOptions& options_;
  const std::vector<std::string> ids_;
  RedisClient& redis_;
  Table table_;
  int64_t claimed_ = 0, deleted_ = 0, not_pending_ = 0;
  bool more_ = false;
};

Status RunClaim(const ClaimOptions& options, const Config& config) {
  if (options.stream.empty() || options.group.empty() || options.consumer.empty()) {
    return Missing("claim",
                   "STREAM GROUP CONSUMER (--id ID | --idle TIME), for example "
                   "tocsin claim notifications_stream mailer worker-2 --idle 5m");
  }
  if (options.ids.empty() == options.idle.empty()) {
    return Status(Code::kInvalidArgument,
                  "say which: --id ID (may be given again), or --idle 5m for all that have been idle for so long");
  }
  if (options.count < 1) return Status(Code::kInvalidArgument, "--count is 1 or more");
  Result<std::vector<std::string>> ids = IdsOption(options.ids);
  if (!ids.ok()) return ids.status();
  int64_t idle_ms = 0;
  if (!options.idle.empty()) {
    Result<int64_t> given_ms = DurationOption("--idle", options.idle);
    if (!given_ms.ok()) return given_ms.status();
    idle_ms = *given_ms;
  }
  Result<RedisClient> redis = OpenRedis(options, config);
  if (!redis.ok()) return redis.status();
  return Claimer(options, std::move(ids).value(), *redis).Run(idle_ms);
}

}  // namespace

int Pending(const PendingOptions& options, const Config& config) {
  return Report("pending", RunPending(options, config));
}

int Claim(const ClaimOptions& options, const Config& config) { return Report("claim", RunClaim(options, config)); }

}  // namespace tocsin::server
