// Reads the command line. CLI11 lives in the .cc alone; the help texts, which teach, are in help.cc.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/result.h"
#include "server/commands.h"
#include "server/config.h"
#include "server/migrate.h"
#include "server/operator_commands.h"

namespace tocsin::server {

enum class Command : uint8_t {
  kServe,
  kPublish,
  kTail,
  kToken,
  kStreams,
  kGroups,
  kPending,
  kClaim,
  kTrim,
  kDeadLetters,
  kMigrate,
  kVersion,
  kHelp
};

struct CommandLine {
  Command command = Command::kHelp;
  std::string config_file{};        // --config; empty: TOCSIN_CONFIG, or none
  std::vector<Assignment> flags{};  // settings
  PublishOptions publish{};
  TailOptions tail{};
  TokenCommandOptions token{};
  StreamsOptions streams{};
  GroupsOptions groups{};
  PendingOptions pending{};
  ClaimOptions claim{};
  TrimOptions trim{};
  DeadLettersOptions dead_letters{};
  MigrateOptions migrate{};
  std::string help{};  // kHelp: what to print
};

// `arguments` without the program's name. kInvalidArgument: used wrongly; the message says how it is meant.
base::Result<CommandLine> ParseCommandLine(std::vector<std::string> arguments);

}  // namespace tocsin::server
