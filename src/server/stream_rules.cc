#include "server/stream_rules.h"

#include <algorithm>

#include "model/limits.h"
#include "notifier/dead_letters.h"
#include "server/setting_text.h"

namespace tocsin::server {
namespace {

using base::Result;
using base::Status;

constexpr std::string_view kRedeliveryWords =
    "STREAM/GROUP after=TIME is allowed, with deliveries=N, backoff=N and longest=TIME if need be, for example "
    "orders/email after=60s deliveries=5";
constexpr std::string_view kRetentionWords =
    "STREAM with at least one of age=TIME, entries=N, bytes=BYTES, cap=BYTES is allowed, and needed=keep or "
    "needed=drop, "
    "for example orders age=7d cap=4GiB";
constexpr std::string_view kRateLimitWords =
    "CATEGORY most=N per=TIME is allowed, with N up to 1000000 and TIME up to 7d, for example marketing most=3 per=1h; "
    "`*` is every category without a rule of its own";

Status Wrong(std::string_view rule, std::string_view what, std::string_view allowed) {
  return {base::Code::kInvalidArgument,
          "`" + std::string(rule) + "`: " + std::string(what) + "; " + std::string(allowed)};
}

struct Word {
  std::string_view name, value;
};

Word ReadWord(std::string_view text) {
  const size_t equals = text.find('=');
  if (equals == std::string_view::npos) return {text, {}};
  return {text.substr(0, equals), text.substr(equals + 1)};
}

template <typename T>
bool ReadNumber(std::string_view text, T least, T most, T& number) {
  return ParseNumber(text, number) && number >= least && number <= most;
}

bool ReadTime(std::string_view text, int64_t& ms) {
  const auto parsed = ParseDuration(text);
  if (!parsed.ok() || *parsed <= 0) return false;
  ms = *parsed;
  return true;
}

bool ReadBytes(std::string_view text, std::optional<uint64_t>& bytes) {
  const auto parsed = ParseBytes(text);
  if (!parsed.ok() || *parsed < 4096) return false;
  bytes = *parsed;
  return true;
}

bool SetWord(streams::Redelivery& redelivery, Word word) {
  if (word.name == "after") return ReadTime(word.value, redelivery.after_ms);
  if (word.name == "longest") return ReadTime(word.value, redelivery.longest_ms);
  if (word.name == "backoff") return ReadNumber<uint32_t>(word.value, 1, 100, redelivery.backoff);
  if (word.name == "deliveries") return ReadNumber<uint64_t>(word.value, 1, 1'000'000, redelivery.max_deliveries);
  return false;
}

bool SetWord(notifier::RetentionRule& rule, Word word) {
  if (word.name == "age") {
    rule.age_ms = 0;
    return ReadTime(word.value, *rule.age_ms);
  }
  if (word.name == "entries") {
    rule.entries = 0;
    return ReadNumber<uint64_t>(word.value, 1, UINT64_MAX, *rule.entries);
  }
  if (word.name == "bytes") return ReadBytes(word.value, rule.bytes);
  if (word.name == "cap") return ReadBytes(word.value, rule.cap_bytes);
  if (word.name != "needed" || (word.value != "keep" && word.value != "drop")) return false;
  rule.needed = word.value == "drop" ? notifier::Needed::kDrop : notifier::Needed::kKeep;
  return true;
}

bool SetWord(state::RateLimit& limit, Word word) {
  if (word.name == "most") return ReadNumber<uint64_t>(word.value, 1, 1'000'000, limit.most);
  return word.name == "per" && ReadTime(word.value, limit.window_ms) && limit.window_ms <= model::kMaxLimitWindowMs;
}

}  // namespace

Result<std::vector<streams::RedeliveryRule>> ParseRedelivery(std::string_view list) {
  std::vector<streams::RedeliveryRule> rules;
  for (const std::string_view text : SplitList(list)) {
    const std::vector<std::string_view> words = SplitWords(text);
    const size_t slash = words.front().rfind('/');
    if (slash == std::string_view::npos || slash == 0 || slash + 1 == words.front().size()) {
      return Wrong(text, "it does not begin with a stream and a group", kRedeliveryWords);
    }
    streams::RedeliveryRule rule{.stream = std::string(words.front().substr(0, slash)),
                                 .group = std::string(words.front().substr(slash + 1)),
                                 .redelivery = {}};
    if (words.size() == 1) return Wrong(text, "it says nothing about the group", kRedeliveryWords);
    for (size_t i = 1; i < words.size(); ++i) {
      if (!SetWord(rule.redelivery, ReadWord(words[i]))) {
        return Wrong(text, "`" + std::string(words[i]) + "` is not understood", kRedeliveryWords);
      }
    }
    rule.redelivery.longest_ms = std::max(rule.redelivery.longest_ms, rule.redelivery.after_ms);
    rules.push_back(std::move(rule));
  }
  return rules;
}

Result<std::vector<notifier::RetentionRule>> ParseRetention(std::string_view list) {
  std::vector<notifier::RetentionRule> rules;
  for (const std::string_view text : SplitList(list)) {
    const std::vector<std::string_view> words = SplitWords(text);
    notifier::RetentionRule rule{.stream = std::string(words.front())};
    for (size_t i = 1; i < words.size(); ++i) {
      if (!SetWord(rule, ReadWord(words[i]))) {
        return Wrong(text, "`" + std::string(words[i]) + "` is not understood", kRetentionWords);
      }
    }
    if (!rule.age_ms && !rule.entries && !rule.bytes && !rule.cap_bytes) {
      return Wrong(text, "it sets no limit", kRetentionWords);
    }
    for (const auto& other : rules) {
      if (other.stream == rule.stream) return Wrong(text, "the stream has a rule already", kRetentionWords);
    }
    rules.push_back(std::move(rule));
  }
  return rules;
}

Result<std::vector<state::RateLimit>> ParseRateLimits(std::string_view list) {
  std::vector<state::RateLimit> limits;
  for (const std::string_view text : SplitList(list)) {
    const std::vector<std::string_view> words = SplitWords(text);
    state::RateLimit limit{.category = std::string(words.front())};
    if (limit.category.size() > model::kMaxCategory) {
      return Wrong(text, "a category has at most " + std::to_string(model::kMaxCategory) + " bytes", kRateLimitWords);
    }
    for (size_t i = 1; i < words.size(); ++i) {
      if (!SetWord(limit, ReadWord(words[i]))) {
        return Wrong(text, "`" + std::string(words[i]) + "` is not understood", kRateLimitWords);
      }
    }
    if (limit.most == 0 || limit.window_ms == 0) return Wrong(text, "it sets no limit", kRateLimitWords);
    for (const auto& other : limits) {
      if (other.category == limit.category) return Wrong(text, "the category has a rule already", kRateLimitWords);
    }
    limits.push_back(std::move(limit));
  }
  return limits;
}

std::vector<notifier::RetentionRule> WithDefaults(std::vector<notifier::RetentionRule> rules,
                                                  const std::vector<std::string>& ingest_streams) {
  const auto add = [&rules](notifier::RetentionRule rule) {
    const bool given = std::any_of(rules.begin(), rules.end(), [&](const auto& r) { return r.stream == rule.stream; });
    if (!given) rules.push_back(std::move(rule));
  };
  for (const std::string& stream : ingest_streams) {
    add({.stream = stream,
         .age_ms = model::kIngestKeepMs,
         .entries = model::kIngestKeepEntries,
         .cap_bytes = model::kIngestCapBytes});
    add({.stream = stream + std::string(notifier::kDeadSuffix), .cap_bytes = model::kDeadLettersCapBytes});
  }
  return rules;
}

}  // namespace tocsin::server
