// The head of a log on Redis, read and written from outside of the scripts that keep it: a msgpack array
// (docs/decisions/redis-layout.md), which goes through scripts as words, `n<decimal>` for a number, `s<bytes>` for a
// tag of a stream and `c<bytes>` for what is unread by category: each name behind its length, with 4 bytes for the
// number.
#pragma once

#include <cstddef>
#include <map>
#include <string>
#include <vector>

#include "logs/keys.h"
#include "redis/client.h"

namespace tocsin::server {

// KEYS: log. ARGV: words. Makes the log anew, with this head and nothing else.
const redis::Script& WriteHeadScript();
// KEYS: log. Answers words; none where there is no log.
const redis::Script& ReadHeadScript();

// `preferences`: the user's record, empty: there is none. It is not in the head, but its tag is.
std::vector<std::string> HeadWordsOf(const logs::LogHead& head, size_t entries, std::string_view preferences = {});
// `names`: of the streams that a tag may stand for; marks of others are left out. False: it is no head.
bool ReadHeadWords(const wire::RespReply& reply, const std::map<std::string, std::string>& names, logs::LogHead& head);

}  // namespace tocsin::server
