// tocsin trim: removes old entries; unless forced, none that a group has not read and acknowledged.
#include <charconv>
#include <cstdio>

#include "server/operator_session.h"
#include "server/terminal.h"

namespace tocsin::server {
namespace {

using base::Code;
using base::Result;
using base::Status;

Status Wrong(std::string why) { return Status(Code::kInvalidArgument, std::move(why)); }

bool IsNumber(std::string_view text) {
  uint64_t number = 0;
  auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  return error == std::errc() && end == text.data() + text.size() && number <= INT64_MAX;
}

bool IsIdOrMs(std::string_view text) {
  size_t dash = text.find('-');
  return IsNumber(text.substr(0, dash)) && (dash == std::string_view::npos || IsNumber(text.substr(dash + 1)));
}

Status Check(const TrimOptions& options) {
  const int bounds =
      (options.max_length.empty() ? 0 : 1) + (options.min_id.empty() ? 0 : 1) + (options.older_than.empty() ? 0 : 1);
  if (options.stream.empty()) return Wrong("of which stream? tocsin trim notifications_stream --older-than 7d");
  if (bounds != 1) return Wrong("give one of --max-length N, --min-id ID, --older-than 7d");
  if (!options.max_length.empty() && !IsNumber(options.max_length)) {
    return Wrong("--max-length " + options.max_length + ": it is a number, 0 or more");
  }
  if (!options.min_id.empty() && !IsIdOrMs(options.min_id)) {
    return Wrong("--min-id " + options.min_id + ": an id is MS-N or MS, for example 1795494169140-0");
  }
  return base::Ok();
}

// The groups that have something unread or pending, for people: "`mailer` (3 pending, 20 unread)".
std::string HoldingGroups(RedisClient& redis, const std::string& stream) {
  constexpr size_t kShown = 5;
  Result<RedisReply> groups = redis.Run({"XINFO", "GROUPS", stream});
  if (!groups.ok()) return "";
  std::string text;
  size_t holding = 0;
  for (const RedisReply& group : groups->elements) {
    const RedisReply& lag = group.Find("lag");
    const int64_t pending = group.Find("pending").integer;
    if (pending == 0 && !lag.is_nil() && lag.integer == 0) continue;
    if (++holding > kShown) continue;
    text += (text.empty() ? "`" : ", `") + Escaped(group.Find("name").text) + "` (" + std::to_string(pending) +
            " pending, " + (lag.is_nil() ? "some" : std::to_string(lag.integer)) + " unread)";
  }
  return holding > kShown ? text + ", ..." : text;
}

// Why entries beyond the bound are there still.
void Explain(RedisClient& redis, const TrimOptions& options) {
  std::string text;
  if (options.precision == Precision::kWholeNodes) {
    text +=
        "more is there than was asked for: only whole nodes of about 100 entries go; --exact removes to the entry\n";
  }
  const std::string holding = HoldingGroups(redis, options.stream);
  if (options.removal == Removal::kAcknowledged && !holding.empty()) {
    text += "kept is what a group has not acknowledged: " + holding + ". --force removes it all the same\n";
  }
  std::fputs(text.c_str(), stderr);
}

Result<bool> IsMoreThere(RedisClient& redis, const TrimOptions& options, const std::string& threshold, int64_t left) {
  if (!options.max_length.empty()) {
    int64_t bound = 0;
    std::from_chars(threshold.data(), threshold.data() + threshold.size(), bound);
    return left > bound;
  }
  if (threshold == "0" || threshold == "0-0") return false;
  Result<std::vector<StreamEntry>> before = ReadEntries(redis, options.stream, "-", "(" + threshold, 1);
  if (!before.ok()) return before.status();
  return !before->empty();
}

// By portions: one XTRIM ~ removes a limited number, and others are served between two. What is left of a node goes
// last.
Result<int64_t> Remove(RedisClient& redis, const TrimOptions& options, const std::string& threshold) {
  RedisCommand trim = {"XTRIM", options.stream, options.max_length.empty() ? "MINID" : "MAXLEN", "~", threshold};
  if (options.removal == Removal::kAcknowledged) trim.emplace_back("ACKED");
  Progress progress;
  int64_t total = 0;
  for (;;) {
    Result<RedisReply> removed = redis.Run(trim);
    if (!removed.ok() && options.removal == Removal::kAcknowledged && removed.status().code() == Code::kInternal) {
      return WithHint(removed.status(), Code::kInternal,
                      ". A server that does not know XTRIM ... ACKED (Redis before 8.2) cannot tell what its groups "
                      "still need: look at `tocsin groups`, then use --force");
    }
    if (!removed.ok()) return removed.status();
    total += removed->integer;
    if (trim[3] == "=") return total;
    if (removed->integer == 0 && options.precision == Precision::kWholeNodes) return total;
    if (removed->integer == 0) trim[3] = "=";
    progress.Tell("removed:", static_cast<uint64_t>(total), 0);
  }
}

Status RunTrim(const TrimOptions& options, const Config& config) {
  RETURN_IF_ERROR(Check(options));
  int64_t age_ms = 0;
  if (!options.older_than.empty()) {
    Result<int64_t> given_ms = DurationOption("--older-than", options.older_than);
    if (!given_ms.ok()) return given_ms.status();
    age_ms = *given_ms;
  }
  Result<RedisClient> redis = OpenRedis(options, config);
  if (!redis.ok()) return redis.status();
  std::string threshold = options.max_length.empty() ? options.min_id : options.max_length;
  if (age_ms > 0) {
    Result<int64_t> now_ms = ServerTimeMs(*redis);
    if (!now_ms.ok()) return now_ms.status();
    threshold = std::to_string(std::max<int64_t>(*now_ms - age_ms, 0));
  }
  Result<RedisReply> exists = redis->Run({"EXISTS", options.stream});
  if (!exists.ok()) return exists.status();
  if (exists->integer == 0) return NoStream(options.stream);

  Result<int64_t> removed = Remove(*redis, options, threshold);
  if (!removed.ok()) return removed.status();
  Result<RedisReply> left = redis->Run({"XLEN", options.stream});
  if (!left.ok()) return left.status();
  if (options.output == Output::kJson) {
    JsonLine json;
    json.Text("stream", options.stream).Number("removed", *removed).Number("left", left->integer);
    std::printf("%s\n", json.ToString().c_str());
  } else {
    std::printf("%lld removed, %lld left\n", static_cast<long long>(*removed), static_cast<long long>(left->integer));
  }
  std::fflush(stdout);
  Result<bool> more = IsMoreThere(*redis, options, threshold, left->integer);
  if (!more.ok()) return more.status();
  if (*more) Explain(*redis, options);
  return base::Ok();
}

}  // namespace

int Trim(const TrimOptions& options, const Config& config) { return Report("trim", RunTrim(options, config)); }

}  // namespace tocsin::server
