// Entries of a stream as a Redis server replies with them, in either version of its protocol.
#pragma once

#include <string_view>
#include <utility>
#include <vector>

#include "model/entry_id.h"
#include "wire/resp.h"

namespace tocsin::nodes {

using FieldViews = std::vector<std::pair<std::string_view, std::string_view>>;

// Views into the reply.
struct StreamEntry {
  model::EntryId id;
  FieldViews fields;
  bool deleted = false;  // pending for somebody, but not in the stream any more
};

// Of XRANGE, or the list within XREADGROUP and XAUTOCLAIM. What is no entry is passed over.
std::vector<StreamEntry> EntriesOf(const wire::RespReply& list);
// Of XREAD and XREADGROUP on one stream; null: it had none.
const wire::RespReply* ListOf(const wire::RespReply& reply);

}  // namespace tocsin::nodes
