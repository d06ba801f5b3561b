#include "server/migrate_head.h"

#include <algorithm>
#include <charconv>

#include "logs/redis_keys.h"

namespace tocsin::server {
namespace {

using model::EntryId;
using wire::RespReply;

uint64_t Number(std::string_view text) {
  uint64_t value = 0;
  std::from_chars(text.data(), text.data() + text.size(), value);
  return value;
}

bool ReadCategories(std::string_view word, logs::Counts& counts) {
  if (!word.starts_with('c')) return false;
  for (word.remove_prefix(1); !word.empty();) {
    const size_t size = static_cast<unsigned char>(word[0]);
    if (word.size() < 1 + size + 4) return false;
    uint32_t unread = 0;
    for (unsigned char byte : word.substr(1 + size, 4)) unread = unread << 8 | byte;
    counts.unread_by_category.emplace_back(word.substr(1, size), unread);
    word.remove_prefix(1 + size + 4);
  }
  std::sort(counts.unread_by_category.begin(), counts.unread_by_category.end());
  return true;
}

}  // namespace

const redis::Script& WriteHeadScript() {
  static const redis::Script script(R"lua(
local head = {}
for at, value in ipairs(ARGV) do
  local kind, rest = string.sub(value, 1, 1), string.sub(value, 2)
  head[at] = kind == 'n' and tonumber(rest) or kind == 's' and rest or false
  local place = 1
  while kind == 'c' and place <= #rest do
    local size = string.byte(rest, place)
    head[at] = head[at] or {}
    head[at][string.sub(rest, place + 1, place + size)] = struct.unpack('>I4', rest, place + size + 1)
    place = place + size + 5
  end
end
redis.call('DEL', KEYS[1])
return redis.call('RPUSH', KEYS[1], cmsgpack.pack(head))
)lua");
  return script;
}

const redis::Script& ReadHeadScript() {
  static const redis::Script script(R"lua(
local packed = redis.call('LINDEX', KEYS[1], 0)
if not packed then return {} end
local head, reply = cmsgpack.unpack(packed), {}
if head[13] ~= false and type(head[13]) ~= 'table' then table.insert(head, 13, false) end
for at, value in ipairs(head) do
  if type(value) == 'number' then
    reply[at] = 'n' .. string.format('%.0f', value)
  elseif type(value) == 'string' then
    reply[at] = 's' .. value
  else
    reply[at] = 'c'
    for category, unread in pairs(value or {}) do
      reply[at] = reply[at] .. string.char(#category) .. category .. struct.pack('>I4', unread)
    end
  end
end
return reply
)lua");
  return script;
}

// In place of a stream's tag, before all of them: what follows is of the user's preferences.
constexpr std::string_view kPreferences = "prefs";

// In the order of redis_log.lua.
std::vector<std::string> HeadWordsOf(const logs::LogHead& head, size_t entries, std::string_view preferences) {
  std::vector<std::string> words;
  const auto number = [&words](uint64_t value) { words.push_back("n" + std::to_string(value)); };
  for (const uint64_t value : {head.last.ms, head.last.seq, head.floor.ms, head.floor.seq}) number(value);
  for (const uint64_t value : {uint64_t{entries}, head.trimmed}) number(value);
  for (const uint32_t value : {head.counts.unread, head.counts.unseen}) number(value);
  for (const uint32_t value : head.counts.unread_by_priority) number(value);
  std::string& categories = words.emplace_back("c");
  for (const auto& [category, unread] : head.counts.unread_by_category) {
    categories.append(1, static_cast<char>(category.size())).append(category);
    for (int shift = 24; shift >= 0; shift -= 8) categories.push_back(static_cast<char>(unread >> shift));
  }
  if (!preferences.empty()) {
    words.push_back("s" + std::string(kPreferences));
    for (const uint64_t value :
         {uint64_t{0}, logs::PreferencesTag(preferences), uint64_t{0}, uint64_t{0}, uint64_t{0}}) {
      number(value);
    }
  }
  std::map<std::string, std::vector<const logs::SourceMark*>> by_stream;
  for (const logs::SourceMark& source : head.sources) by_stream[source.stream].push_back(&source);
  for (const auto& [stream, marks] : by_stream) {
    words.push_back("s" + logs::StreamTag(stream));
    for (const logs::SourceMark* mark : marks) {
      number(static_cast<uint64_t>(mark->priority));
      for (const uint64_t half : {mark->id.ms, mark->id.seq}) {
        number(half >> 32);
        number(half & UINT32_MAX);
      }
    }
  }
  return words;
}

bool ReadHeadWords(const RespReply& reply, const std::map<std::string, std::string>& names, logs::LogHead& head) {
  constexpr size_t kSources = 8 + model::kPriorities, kMark = 5;
  if (reply.elements.size() <= kSources || !ReadCategories(reply.elements[kSources].text, head.counts)) return false;
  std::vector<uint64_t> numbers;
  const std::string* stream = nullptr;  // of the marks that follow; null: not known
  for (size_t at = 0; at < reply.elements.size(); ++at) {
    if (at == kSources) continue;  // the categories
    const std::string_view word = reply.elements[at].text;
    const bool is_tag = word.starts_with('s');
    if (!is_tag && !word.starts_with('n')) return false;
    if (is_tag) {
      if (at < kSources || (at > kSources + 1 && (numbers.size() - kSources) % kMark != 0)) return false;
      if (at == kSources + 1 && word.substr(1) == kPreferences) head.preferred = logs::Preferred::kYes;
      auto found = names.find(std::string(word.substr(1)));
      stream = found == names.end() ? nullptr : &found->second;
      continue;
    }
    numbers.push_back(Number(word.substr(1)));
    if (numbers.size() <= kSources || (numbers.size() - kSources) % kMark != 0) continue;
    const uint64_t* mark = &numbers[numbers.size() - kMark];
    if (mark[0] >= model::kPriorities) return false;
    if (stream == nullptr) continue;
    head.sources.push_back(
        {*stream, static_cast<model::Priority>(mark[0]), EntryId{mark[1] << 32 | mark[2], mark[3] << 32 | mark[4]}});
  }
  if ((numbers.size() - kSources) % kMark != 0) return false;
  head.last = {numbers[0], numbers[1]};
  head.floor = {numbers[2], numbers[3]};
  head.entries = numbers[4];
  head.trimmed = numbers[5];
  head.counts.unread = static_cast<uint32_t>(numbers[6]);
  head.counts.unseen = static_cast<uint32_t>(numbers[7]);
  for (size_t i = 0; i < model::kPriorities; ++i) {
    head.counts.unread_by_priority[i] = static_cast<uint32_t>(numbers[8 + i]);
  }
  return true;
}

}  // namespace tocsin::server
