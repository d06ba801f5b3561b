#include "nodes/wakes.h"

#include <charconv>
#include <utility>

#include "base/log.h"
#include "base/metrics.h"
#include "nodes/entries.h"
#include "nodes/keys.h"

namespace tocsin::nodes {
namespace {

using base::Result;
using model::EntryId;
using wire::RespReply;

constexpr int64_t kBlockMs = 2'000;
constexpr int64_t kRetryMs = 200;
constexpr size_t kFieldsPerWake = 256;

base::Counter sent("tocsin_wakes_sent_total", "Wake-ups sent to other nodes");
base::Counter heard("tocsin_wakes_heard_total", "Wake-ups that came from other nodes");
base::Counter to_the_dead("tocsin_wakes_to_the_dead_total", "Wake-ups for nodes that do not live any more");

// Makes the stream of a node, which expires. KEYS: it. ARGV: node, ttl ms. Answers where it ends.
const redis::Script& MakeScript() {
  static const redis::Script script(R"lua(
if redis.replicate_commands then redis.replicate_commands() end
local last = redis.call('XADD', KEYS[1], 'MAXLEN', '1', '*', 'node', ARGV[1])
redis.call('PEXPIRE', KEYS[1], ARGV[2])
return last
)lua");
  return script;
}

std::string_view NextWord(std::string_view& text) {
  const size_t end = std::min(text.find(' '), text.size());
  const std::string_view word = text.substr(0, end);
  text.remove_prefix(std::min(end + 1, text.size()));
  return word;
}

bool NextNumber(std::string_view& text, uint32_t& number) {
  const std::string_view word = NextWord(text);
  const auto [end, error] = std::from_chars(word.data(), word.data() + word.size(), number);
  return error == std::errc() && end == word.data() + word.size();
}

bool NextId(std::string_view& text, EntryId& id) {
  auto parsed = EntryId::Parse(NextWord(text));
  if (parsed) id = *parsed;
  return parsed.has_value();
}

constexpr std::string_view kDigits = "0123456789abcdef";

// A category may have spaces.
std::string HexOf(std::string_view bytes) {
  std::string hex;
  for (unsigned char byte : bytes) hex.append(1, kDigits[byte >> 4]).append(1, kDigits[byte & 15]);
  return hex;
}

std::optional<std::string> FromHex(std::string_view hex) {
  if (hex.empty() || hex.size() % 2 != 0) return std::nullopt;
  std::string bytes;
  for (size_t at = 0; at < hex.size(); at += 2) {
    const size_t high = kDigits.find(hex[at]), low = kDigits.find(hex[at + 1]);
    if (high == kDigits.npos || low == kDigits.npos) return std::nullopt;
    bytes.push_back(static_cast<char>(high << 4 | low));
  }
  return bytes;
}

}  // namespace

std::string HeadText(const logs::LogUpdate& update) {
  std::string text = update.after.value_or(EntryId{}).ToString();
  text.append(" ").append(update.last.ToString()).append(" ").append(update.floor.ToString());
  text.append(" ").append(std::to_string(update.counts.unread)).append(" ");
  text.append(std::to_string(update.counts.unseen));
  for (uint32_t count : update.counts.unread_by_priority) text.append(" ").append(std::to_string(count));
  for (const auto& [category, count] : update.counts.unread_by_category) {
    text.append(" ").append(std::to_string(count)).append(" ").append(HexOf(category));
  }
  return text;
}

bool ParseHeadText(std::string_view text, logs::LogUpdate& update) {
  EntryId after;
  if (!NextId(text, after) || !NextId(text, update.last) || !NextId(text, update.floor)) return false;
  update.after = after;
  if (!NextNumber(text, update.counts.unread) || !NextNumber(text, update.counts.unseen)) return false;
  for (uint32_t& count : update.counts.unread_by_priority) {
    if (!NextNumber(text, count)) return false;
  }
  update.counts.unread_by_category.clear();
  while (!text.empty()) {
    uint32_t count = 0;
    if (!NextNumber(text, count)) return false;
    auto category = FromHex(NextWord(text));
    if (!category) return false;
    update.counts.unread_by_category.emplace_back(std::move(*category), count);
  }
  return true;
}

Wakes::Wakes(runtime::Core& core, redis::Client& client, std::string node, Events events)
    : core_(core), client_(client), node_(std::move(node)), key_(WakeKey(node_)), events_(std::move(events)) {}

void Wakes::Start(std::function<void()> ready) {
  ready_ = std::move(ready);
  Make();
}

void Wakes::Make() {
  client_.Eval(MakeScript(), {key_}, {node_, std::to_string(kNodeTtlMs)}, [this](const Result<RespReply>& reply) {
    if (stopped_) return;
    if (!reply.ok() || reply->is_error()) {
      if (reply.ok()) base::Log(base::Level::kError, "wakes_refused", {{"key", key_}, {"error", reply->text}});
      return core_.After(kRetryMs, [this] {
        if (!stopped_) Make();
      });
    }
    last_ = reply->text;
    made_ = true;
    if (auto ready = std::exchange(ready_, {})) ready();
    Read();
  });
}

void Wakes::Tick() {
  if (!made_ || stopped_) return;
  client_.Call(key_, {"PEXPIRE", key_, std::to_string(kNodeTtlMs)}, [](const Result<RespReply>&) {});
}

void Wakes::Read() {
  if (stopped_) return;
  client_.CallBlocking(key_, {"XREAD", "COUNT", "100", "BLOCK", std::to_string(kBlockMs), "STREAMS", key_, last_},
                       [this](const Result<RespReply>& reply) { OnRead(reply); },
                       {.patience_ms = 2 * kBlockMs + 1'000});
}

void Wakes::ReadSoon(int64_t delay_ms) {
  core_.After(delay_ms, [this] { Read(); });
}

void Wakes::OnRead(const Result<RespReply>& reply) {
  if (stopped_) return;
  if (!reply.ok() || reply->is_error()) {
    events_.doubt();
    return ReadSoon(kRetryMs);
  }
  const RespReply* list = ListOf(*reply);
  if (list == nullptr) {
    // Quiet, or the stream is gone, and then nobody can write to it.
    client_.Call(key_, {"EXISTS", key_}, [this](const Result<RespReply>& exists) {
      if (stopped_) return;
      if (!exists.ok() || exists->is_error() || exists->integer != 0) return ReadSoon(0);
      base::Log(base::Level::kWarn, "wakes_vanished", {{"key", key_}});
      events_.doubt();
      Make();
    });
    return;
  }
  std::vector<logs::LogUpdate> updates;
  for (const StreamEntry& entry : EntriesOf(*list)) {
    last_ = entry.id.ToString();
    for (const auto& [user, text] : entry.fields) {
      logs::LogUpdate update;
      update.user = user;
      if (ParseHeadText(text, update)) updates.push_back(std::move(update));
    }
  }
  heard.Add(static_cast<int64_t>(updates.size()));
  if (!updates.empty()) events_.woken(std::move(updates));
  Read();
}

void Wakes::Add(const std::string& node, const logs::LogUpdate& update) {
  if (node == node_ || stopped_) return;
  std::vector<std::string>& fields = due_[node];
  fields.push_back(update.user);
  fields.push_back(HeadText(update));
  if (std::exchange(flushing_, true)) return;
  core_.Post([this] { Flush(); });
}

void Wakes::Flush() {
  flushing_ = false;
  for (auto& [node, fields] : std::exchange(due_, {})) {
    for (size_t at = 0; at < fields.size(); at += kFieldsPerWake) {
      const auto begin = fields.begin() + static_cast<ptrdiff_t>(at);
      const auto end = fields.begin() + static_cast<ptrdiff_t>(std::min(fields.size(), at + kFieldsPerWake));
      Send(node, {std::make_move_iterator(begin), std::make_move_iterator(end)});
    }
  }
}

void Wakes::Send(const std::string& node, std::vector<std::string> fields) {
  const std::string key = WakeKey(node);
  redis::Arguments command = {"XADD", key, "NOMKSTREAM", "MAXLEN", "~", std::to_string(kMaxWakes), "*"};
  command.insert(command.end(), fields.begin(), fields.end());
  sent.Add(static_cast<int64_t>(fields.size() / 2));
  client_.Call(key, std::move(command), [this, node, fields = std::move(fields)](const Result<RespReply>& reply) {
    // An answer that is lost costs what rule 3 says.
    if (!reply.ok() || reply->type != RespReply::Type::kNull) return;
    for (size_t i = 0; i < fields.size(); i += 2) events_.dead(fields[i], node);
    to_the_dead.Add(static_cast<int64_t>(fields.size() / 2));
  });
}

void Wakes::Stop() {
  if (std::exchange(stopped_, true) || !made_) return;
  client_.Call(key_, {"DEL", key_}, [](const Result<RespReply>&) {}, {.patience_ms = 1'000});
}

}  // namespace tocsin::nodes
