#include "logs/redis_keys.h"

#include <algorithm>
#include <array>
#include <charconv>

#define XXH_INLINE_ALL
#include <xxhash.h>

#include "model/bytes.h"

namespace tocsin::logs {
namespace {

std::string UserKey(std::string_view kind, std::string_view user) {
  std::string key = BucketKey(BucketOf(user));
  key.append(kind).append(std::to_string(user.size())).append(":").append(user);
  return key;
}

}  // namespace

int BucketOf(std::string_view user) { return static_cast<int>(XXH3_64bits(user.data(), user.size()) % kBuckets); }

std::string BucketKey(int bucket) { return "tocsin:{b" + std::to_string(bucket) + "}"; }

std::string LogKey(std::string_view user) { return UserKey(":log:", user); }
std::string WatchersKey(std::string_view user) { return UserKey(":watch:", user); }
std::string DevicesKey(std::string_view user) { return UserKey(":devices:", user); }
std::string MarkIdsKey(std::string_view user) { return UserKey(":marks:", user); }
std::string CollapseKeysKey(std::string_view user) { return UserKey(":collapse:", user); }
std::string FollowsKey(std::string_view user) { return UserKey(":follows:", user); }
std::string CursorsKey(std::string_view user) { return UserKey(":cursors:", user); }
std::string TopicStatesKey(std::string_view user, std::string_view topic) {
  return UserKey(":states:", user).append(":").append(topic);
}
std::string UserPreferencesKey(std::string_view user) { return UserKey(":prefs:", user); }

std::string WindowsKey(int bucket) { return BucketKey(bucket) + ":windows"; }
std::string WindowEndsKey(int bucket) { return BucketKey(bucket) + ":ends"; }

uint64_t PreferencesTag(std::string_view record) {
  if (record.empty()) return 0;
  return std::max<uint64_t>(XXH3_64bits(record.data(), record.size()) >> 16, 1);
}

std::string StreamTag(std::string_view stream) {
  std::string tag;
  model::PutBig64(tag, XXH3_64bits(stream.data(), stream.size()));
  return tag.substr(0, 6);
}

std::string KeyedEpoch(std::string_view bucket_epoch, std::string_view user) {
  std::string keyed(bucket_epoch);
  keyed += user;
  const uint64_t hash = XXH3_128bits_withSeed(keyed.data(), keyed.size(), bucket_epoch.size()).high64;
  std::array<char, 16> digits;
  digits.fill('0');
  std::array<char, 16> text;
  const size_t size = static_cast<size_t>(std::to_chars(text.data(), text.data() + 16, hash, 16).ptr - text.data());
  for (size_t at = 0; at < size; ++at) digits[16 - size + at] = text[at];
  return std::string(digits.data(), digits.size());
}

}  // namespace tocsin::logs
