// MarkRequest: what a client wants done to items of its user's log.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "logs/log_entry.h"
#include "model/entry_id.h"

namespace tocsin::logs {

// Which of the items that a mark names it is for.
enum class Spare : uint8_t {
  kNone,
  kRead,  // not those that were read or archived: for a back-end's retraction, whose op is kDelete
};

struct MarkRequest {
  std::string user{};
  std::string device{};  // empty: none
  MarkOp op = MarkOp::kRead;
  std::vector<std::string> nids{};       // or, if set,
  std::optional<model::EntryId> upto{};  // every item up to it
  Spare spare = Spare::kNone;
  std::string mid{};  // the client's own id of this mark: a repeat within kMarkIdMs does nothing; empty: none
};

}  // namespace tocsin::logs
