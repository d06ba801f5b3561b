// The Lua scripts beside this file, as cmake/scripts.cmake embeds them. `redis_shared` goes before every other one, and
// `redis_log` before those that work on a log.
#pragma once

#include <string_view>

namespace tocsin::logs::scripts {

extern const std::string_view redis_shared, redis_log;
extern const std::string_view redis_append, redis_mark, redis_ack, redis_topics, redis_follow, redis_topic_states,
    redis_mark_topic, redis_open, redis_read, redis_list, redis_watch, redis_trace, redis_preferences, redis_digest;
extern const std::string_view redis_fence, redis_windows;  // of a bucket

}  // namespace tocsin::logs::scripts
