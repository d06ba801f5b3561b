// Keys of the user logs on Redis; docs/decisions/redis-layout.md draws them.
//
// All that belongs to a user lies in one of kBuckets buckets, whose name is the hash tag: one slot of a Cluster, so
// that a script sees all of it. A user id may contain any byte, also `}`: it comes behind the tag and its own length.
#pragma once

#include <string>
#include <string_view>

namespace tocsin::logs {

inline constexpr int kBuckets = 256;

// Stored: where a user's log is found must never change.
int BucketOf(std::string_view user);
// "tocsin:{b17}"
std::string BucketKey(int bucket);

// "tocsin:{b17}:log:3:ada" and the like.
std::string LogKey(std::string_view user);
std::string WatchersKey(std::string_view user);
std::string DevicesKey(std::string_view user);
std::string MarkIdsKey(std::string_view user);
std::string CollapseKeysKey(std::string_view user);
std::string FollowsKey(std::string_view user);
std::string CursorsKey(std::string_view user);  // of devices in topics
std::string TopicStatesKey(std::string_view user, std::string_view topic);
std::string UserPreferencesKey(std::string_view user);

// Of a bucket's rate limits: "tocsin:{b17}:windows" and "tocsin:{b17}:ends".
std::string WindowsKey(int bucket);
std::string WindowEndsKey(int bucket);

// What a log's head has of the user's preferences: 48 bits of the record's hash, never 0; 0 for the empty record.
// Stored.
uint64_t PreferencesTag(std::string_view record);

// What a log's head has of the name of an ingest stream: 6 bytes of its hash. Two of a thousand streams have the same
// one with a chance of 1 in 500 million, and 14 bytes per user are saved. Stored.
std::string StreamTag(std::string_view stream);

// The identity of a user's log: keyed, so that a cursor of another user, or of another epoch, does not have it.
std::string KeyedEpoch(std::string_view bucket_epoch, std::string_view user);

}  // namespace tocsin::logs
