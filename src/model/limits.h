// Every bound of the service in one place, with what happens at it. Settings may lower or raise those marked (setting).
#pragma once

#include <cstddef>
#include <cstdint>

namespace tocsin::model {

// What a publisher may send.
inline constexpr size_t kMaxIngestBody = 1 << 20;             // bytes of one HTTP body: 413 (setting)
inline constexpr size_t kMaxNotificationsPerRequest = 1'000;  // items of an array or NDJSON body: 400
inline constexpr size_t kMaxRecipients = 1'000;               // user_ids of one notification: 400
inline constexpr size_t kMaxUserId = 256;                     // bytes of UTF-8
inline constexpr size_t kMaxTopic = 128;                      // bytes
inline constexpr size_t kMaxMessage = 16 << 10;               // bytes of UTF-8
inline constexpr size_t kMaxTitle = 1 << 10;
inline constexpr size_t kMaxUrl = 2 << 10;
inline constexpr size_t kMaxActions = 3;
inline constexpr size_t kMaxActionId = 64;
inline constexpr size_t kMaxActionTitle = 128;
inline constexpr size_t kMaxCategory = 64;         // bytes of UTF-8
inline constexpr size_t kMaxLang = 35;             // RFC 5646, section 4.4.1
inline constexpr size_t kMaxCollapseKey = 128;     // bytes of UTF-8
inline constexpr size_t kMaxJsonField = 64 << 10;  // raw bytes of `data`
inline constexpr int kMaxJsonDepth = 32;
inline constexpr int kMaxDataDepth = 24;  // of `data`: it still has to fit into a frame

// What a device may send and hold.
inline constexpr size_t kMaxDeviceId = 128;       // bytes
inline constexpr size_t kMaxDevicesPerUser = 64;  // beyond it the one silent longest is forgotten
inline constexpr int64_t kDeviceSilenceMs = 30LL * 24 * 3600 * 1000;
inline constexpr size_t kMaxFrameIn = 32 << 10;  // bytes of one WebSocket message: close 1009
inline constexpr size_t kMaxMarkIds = 1'000;     // nids of one mark
inline constexpr int kDefaultCredit = 64;        // items un-acked on one session
inline constexpr int kMaxCredit = 1'024;
inline constexpr size_t kMaxTopics =
    100;  // of one session, those that are followed included; of a hello, `sub`, `unsub`
inline constexpr size_t kMaxFollows = 90;  // of one user: 409; a session has room for some that it asks for, too
inline constexpr size_t kMaxEarly = 8;     // early copies of urgent items that are out beside the credit
inline constexpr size_t kMaxCountedCategories = 100;  // of one log at once; the unread of others count together
inline constexpr int kDefaultListLimit = 50;
inline constexpr int kMaxListLimit = 200;
inline constexpr size_t kMaxToken = 8 << 10;  // bytes of a JWT

// When it is to be delivered (`deliver_at`), seen from when it was accepted: 400, or a dead letter.
inline constexpr int64_t kDeliverAtPastMs = 60'000;                     // so far back still means at once
inline constexpr int64_t kDeliverAtAheadMs = 366LL * 24 * 3600 * 1000;  // further ahead is refused
inline constexpr int64_t kMaxTtlMs = kDeliverAtAheadMs;                 // how far off its end may lie (`ttl_s`)
inline constexpr size_t kMaxSchedulePage = 1'000;                       // of a list of what is scheduled

inline constexpr size_t kMaxIdempotencyKey = 255;              // bytes, printable ASCII
inline constexpr int64_t kIdempotencyMs = 24LL * 3600 * 1000;  // how long a key is remembered

// What a user may say about deliveries: 400.
inline constexpr size_t kMaxMutedCategories = 100;
inline constexpr int64_t kMaxLimitWindowMs = 7LL * 24 * 3600 * 1000;  // of a rate limit (setting)
inline constexpr size_t kMaxDigestNids = 100;  // that a digest names; what is beyond is counted only

// What one connection may cost.
inline constexpr size_t kMaxHttpHead = 16 << 10;         // bytes of request line and headers: 431
inline constexpr size_t kMaxHttpHeaders = 64;            // header lines: 431
inline constexpr size_t kMaxUnauthenticated = 64 << 10;  // bytes held before a hello or a key was accepted
inline constexpr size_t kSendWindow = 1 << 20;           // bytes waiting for a slow reader; a session stops pulling
inline constexpr size_t kFrameTarget = 64 << 10;         // a backlog frame is cut at about this many bytes
inline constexpr size_t kMaxConnections = 18'000;        // beyond it: 503 with Retry-After (setting)
inline constexpr int64_t kUnauthenticatedMs = 5'000;     // no hello, no whole request head: closed
inline constexpr int64_t kPingMs = 25'000;
inline constexpr int64_t kPongMs = 10'000;       // no frame within it after a ping: bye 4202
inline constexpr int64_t kKeepAliveMs = 75'000;  // an idle HTTP connection

// What is kept.
inline constexpr size_t kLogMaxEntries = 10'000;          // per user; older ones are trimmed, `floor` moves (setting)
inline constexpr size_t kLogTailEntries = 64;             // entries of a live log held in memory
inline constexpr int64_t kMarkIdMs = 24LL * 3600 * 1000;  // how long a mark's `mid` is remembered ...
inline constexpr size_t kMaxMarkIdsKept = 1'024;          // ... and how many of one user; the oldest is forgotten
inline constexpr int64_t kIngestKeepMs = 24LL * 3600 * 1000;  // acked ingest entries are kept so long ... (setting)
inline constexpr size_t kIngestKeepEntries = 1'000'000;       // ... and at most so many (setting)
inline constexpr uint64_t kIngestCapBytes = 4ull << 30;  // of an ingest stream; beyond it unread entries go (setting)
inline constexpr uint64_t kDeadLettersCapBytes = 1ull << 30;  // of its dead letters; the oldest go (setting)
inline constexpr uint64_t kMaxFutureIdMs = 3'600'000;         // an explicit ingest id further ahead is refused

// How long the queue before the disk may get.
inline constexpr size_t kMaxQueuedChanges = 65'536;  // changes waiting for a commit: 503
inline constexpr int64_t kMaxQueueMs = 5'000;        // a commit that takes longer turns new ones away: 503
inline constexpr size_t kMaxTurnChanges = 4'096;     // changes of one commit: the router's read-ahead
inline constexpr size_t kMaxTurnBytes = 8 << 20;     // a commit is closed when it has grown to this
inline constexpr size_t kMaxQueuedBytes = 64 << 20;  // bytes waiting for a commit: 503
inline constexpr int64_t kLazySyncMs = 1'000;        // device acks are synced at the latest after this

// What the client of a Redis server may hold (redis/client.h).
inline constexpr size_t kMaxRedisQueuedBytes = 64 << 20;  // of calls that are not answered: kResourceExhausted
inline constexpr size_t kMaxRedisReply = 256 << 20;       // bytes of one reply: the connection is closed
inline constexpr size_t kMaxRedisBlockingCalls = 256;     // at once; each has a connection: kResourceExhausted

static_assert(kMaxMessage < kMaxIngestBody && kMaxJsonField < kMaxIngestBody);
static_assert(kFrameTarget < kSendWindow);
static_assert(kMaxDeviceId <= 255, "a device id is stored behind one length byte");

}  // namespace tocsin::model
