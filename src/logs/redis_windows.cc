// Windows of rate limits on Redis, where they end: those parts of RedisLogs.
#include <array>
#include <charconv>
#include <memory>
#include <utility>

#include "logs/redis_logs.h"
#include "logs/redis_scripts.h"

namespace tocsin::logs {
namespace {

using base::Code;
using base::Result;
using base::Status;
using wire::RespReply;

constexpr int64_t kPatienceMs = 2'000;

const redis::Script& WindowsScript() {
  static const redis::Script script(std::string(scripts::redis_shared).append(scripts::redis_windows));
  return script;
}

const redis::Script& DigestScript() {
  static const redis::Script script(
      std::string(scripts::redis_shared).append(scripts::redis_log).append(scripts::redis_digest));
  return script;
}

std::optional<uint64_t> Number(std::string_view text) {
  uint64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return number;
}

// "3:adanews" is category `news` of user `ada`.
bool ReadName(std::string_view name, EndedWindow& window) {
  const size_t colon = name.find(':');
  const auto size = Number(name.substr(0, colon));
  if (colon == name.npos || !size || *size > name.size() - colon - 1) return false;
  window.name = name;
  window.user = name.substr(colon + 1, *size);
  window.category = name.substr(colon + 1 + *size);
  return true;
}

Result<EndedWindow> Decode(const RespReply& reply) {
  constexpr size_t kNids = 6;
  EndedWindow ended;
  const auto& parts = reply.elements;
  bool good = parts.size() > kNids && ReadName(parts[0].text, ended);
  std::array<uint64_t, 4> numbers{};
  for (size_t at = 0; good && at < numbers.size(); ++at) {
    const auto number = Number(parts[2 + at].text);
    good = number.has_value();
    numbers[at] = number.value_or(0);
  }
  if (!good || numbers[3] >= model::kPriorities) {
    return Status(Code::kCorruption, "a window of a rate limit on Redis cannot be read");
  }
  ended.bytes = parts[1].text;
  ended.window = {.ends_ms = static_cast<int64_t>(numbers[0]),
                  .delivered = numbers[1],
                  .summed = numbers[2],
                  .highest = static_cast<model::Priority>(numbers[3])};
  for (size_t at = kNids; at < parts.size(); ++at) ended.window.nids.push_back(parts[at].text);
  return ended;
}

}  // namespace

void RedisLogs::FindEndedWindows(int bucket, size_t most, Then<std::vector<EndedWindow>> then) {
  Question question{&WindowsScript(),
                    bucket,
                    {logs::BucketKey(bucket), WindowsKey(bucket), WindowEndsKey(bucket)},
                    {std::to_string(NowMs()), std::to_string(most)},
                    kPatienceMs,
                    false};
  Evaluate(std::move(question), [then = std::move(then)](const Result<RespReply>& reply) {
    if (!reply.ok()) return then(reply.status());
    std::vector<EndedWindow> windows;
    for (const RespReply& one : reply->elements) {
      auto window = Decode(one);
      if (!window.ok()) return then(window.status());
      windows.push_back(std::move(*window));
    }
    then(std::move(windows));
  });
}

void RedisLogs::EndWindow(EndWindowRequest request, std::function<void(Result<Appended>)> then) {
  const std::string user = request.ended.user;
  std::vector<LogEntry> entries;
  std::string element;
  if (request.digest) {
    entries.push_back(EntryOf(*request.digest));
    element = ItemOf(*request.digest, entries.back());
  } else {
    entries.emplace_back();
  }
  const int bucket = BucketOf(user);
  Question question = QuestionFor(
      DigestScript(), user, {WatchersKey(user), CollapseKeysKey(user), WindowsKey(bucket), WindowEndsKey(bucket)},
      {std::to_string(NowMs()), std::to_string(options_.max_entries), std::to_string(request.preferences_tag),
       std::move(request.ended.name), std::move(request.ended.bytes), std::move(element)});
  auto kept = std::make_shared<std::vector<LogEntry>>(std::move(entries));
  Evaluate(std::move(question), [this, user, kept, then = std::move(then)](const Result<RespReply>& reply) {
    if (!reply.ok()) return then(reply.status());
    if (reply->elements.empty()) return then(Appended{});  // somebody else was here
    then(ReadAppended(*reply, user, *kept));
  });
}

}  // namespace tocsin::logs
