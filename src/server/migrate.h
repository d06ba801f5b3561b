// `tocsin migrate`: copies everything from one store to another, embedded to Redis or back: streams with their groups
// and what is pending in them, user logs with ids, states, cursors, counts and remembered marks, and the epoch, so that
// devices go on where they were. Then reads the target again and compares.
#pragma once

#include <string>
#include <vector>

#include "server/config.h"

namespace tocsin::server {

struct MigrateOptions {
  std::string from{}, to{};  // `embedded:DIR`, or an address as the setting `store` has it
  std::vector<std::string>
      streams{};  // of a Redis: more streams to copy, besides the ingest streams and their dead letters
};
// The exit status, as of every command.
int Migrate(const MigrateOptions& options, const Config& config);

}  // namespace tocsin::server
