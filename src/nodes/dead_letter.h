// The dead letter of an entry, as it is appended to `<stream>:dead` in Redis. What notifier::AddDeadLetter writes to
// the embedded store.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "nodes/entries.h"
#include "redis/client.h"

namespace tocsin::nodes {

std::string DeadLettersOf(std::string_view stream);  // "<stream>:dead"

struct Verdict {
  std::string_view stream, id;
  std::string_view group;  // that gave it up
  std::string_view reason;
  uint64_t attempts = 1;
};

// The XADD; `fields` are the entry's own and follow ours.
redis::Arguments DeadLetterCommand(const Verdict& verdict, const FieldViews& fields);
// It is stored: counts it and tells the log.
void NoteDeadLetter(const Verdict& verdict);

}  // namespace tocsin::nodes
