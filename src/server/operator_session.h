// What the operators' commands share: finding the server and its key, saying what failed and how to mend it, reading
// entries by pages, telling that work goes on.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/result.h"
#include "server/operator_commands.h"
#include "server/redis_client.h"

namespace tocsin::server {

// Connected and, where there is a key, authenticated. Failures say how to mend them: no server there, no key, the wrong
// one, or something else that listens.
base::Result<RedisClient> OpenRedis(const OperatorOptions& options, const Config& config);

// Prints a failure as `tocsin COMMAND`; the exit status: 0 for ok, 2 for kInvalidArgument (which only the command line
// causes), 1 else.
int Report(std::string_view command, const base::Status& status);

// "there is no stream `x`; ..."
base::Status NoStream(const std::string& stream);
// The same failure, with `hint` behind its message where its code is `code`.
base::Status WithHint(const base::Status& status, base::Code code, std::string_view hint);

// The server's clock, which is what ids and idle times are measured by; milliseconds.
base::Result<int64_t> ServerTimeMs(RedisClient& redis);

// `text` of the option `name` in milliseconds, as ParseDuration has it.
base::Result<int64_t> DurationOption(std::string_view name, const std::string& text);
// The ids, `MS-N` each, as a server writes them, in order and each once; kInvalidArgument names one that is none.
base::Result<std::vector<std::string>> IdsOption(const std::vector<std::string>& texts);

struct StreamEntry {
  std::string id;
  std::vector<std::pair<std::string, std::string>> fields;

  // The value of the first field of that name; "" where there is none.
  std::string_view Field(std::string_view name) const;
};

// Up to `count` entries from `from` to `to` as XRANGE takes them. Where they would be too large for one reply, fewer;
// none: there are none.
base::Result<std::vector<StreamEntry>> ReadEntries(RedisClient& redis, const std::string& key, const std::string& from,
                                                   const std::string& to, size_t count);

// What an entry is told by its reply, of XRANGE and EXEC alike.
StreamEntry EntryOf(const RedisReply& reply);

// A line on standard error every few seconds, so that nobody believes a long command to be stuck.
class Progress {
 public:
  Progress();
  // `total` 0: not known.
  void Tell(std::string_view what, uint64_t done, uint64_t total);

 private:
  int64_t told_us_;
};

}  // namespace tocsin::server
