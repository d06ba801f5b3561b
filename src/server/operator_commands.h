// The operators' commands: what stands in the streams, who works on it, what failed. One function each, clients of the
// Redis port. They return the exit status: 0 done, 1 failed or not all of it (the reason stands on standard error), 2
// used wrongly.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "server/commands.h"
#include "server/config.h"

namespace tocsin::server {

// Where the server is, and how to print.
struct OperatorOptions {
  std::string redis{};    // redis://...; empty: TOCSIN_REDIS, or the `redis_listen` of the settings
  std::string api_key{};  // empty: TOCSIN_API_KEY, or the one generated into the data directory
  Output output = Output::kReadable;
};

struct StreamsOptions : OperatorOptions {
  std::string stream{};  // empty: all
};
int Streams(const StreamsOptions& options, const Config& config);

struct GroupsOptions : OperatorOptions {
  std::string stream{};
};
int Groups(const GroupsOptions& options, const Config& config);

struct PendingOptions : OperatorOptions {
  std::string stream{}, group{};
  std::string consumer{};  // empty: of all
  std::string idle{};      // at least so long; empty: any
  int64_t count = 100;
};
int Pending(const PendingOptions& options, const Config& config);

struct ClaimOptions : OperatorOptions {
  std::string stream{}, group{}, consumer{};
  std::vector<std::string> ids{};  // these, or
  std::string idle{};              // those that have been idle for so long
  int64_t count = 100;
};
int Claim(const ClaimOptions& options, const Config& config);

enum class Removal : uint8_t { kAcknowledged, kForced };  // forced: also what a group has unread or pending
enum class Precision : uint8_t { kWholeNodes, kExact };

struct TrimOptions : OperatorOptions {
  std::string stream{};
  std::string max_length{}, min_id{}, older_than{};  // one of them
  Precision precision = Precision::kWholeNodes;
  Removal removal = Removal::kAcknowledged;
};
int Trim(const TrimOptions& options, const Config& config);

enum class Rehearsal : uint8_t { kNo, kDryRun };

struct DeadLettersOptions : OperatorOptions {
  enum class Action : uint8_t { kList, kRedrive, kDrop };
  Action action = Action::kList;
  std::string stream{};                    // whose dead letters; empty: the first ingest stream of the settings
  std::vector<std::string> filters{};      // FIELD=TEXT, FIELD~TEXT: all must hold
  std::string older_than{}, newer_than{};  // when it became a dead letter
  std::vector<std::string> ids{};
  enum class Selection : uint8_t { kChosen, kAll } selection = Selection::kChosen;
  Rehearsal rehearsal = Rehearsal::kNo;
  std::vector<std::string> set{};    // redrive: FIELD=VALUE
  std::vector<std::string> unset{};  // redrive: FIELD
  int64_t count = 100;               // list
};
int DeadLetters(const DeadLettersOptions& options, const Config& config);

}  // namespace tocsin::server
