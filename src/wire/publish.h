// The body of POST /v1/notifications: one JSON object, an array of them, or one object a line (NDJSON).
//
// 1. All or nothing: the first item that is wrong refuses the body, and the error says which item, which field, and
//    what is allowed there.
// 2. Unknown fields are refused by name; a field that is `null` counts as not sent.
// 3. `data` is kept as the bytes that were sent.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "model/notification.h"

namespace tocsin::wire {

enum class PublishType : uint8_t { kJson, kNdjson };

// By the header Content-Type: application/json or application/x-ndjson, with no charset but UTF-8; empty counts as
// JSON. Nothing for any other: answer 415.
std::optional<PublishType> ParsePublishType(std::string_view content_type);

struct InputError {
  int64_t index = -1;  // of the item in the array or among the lines; -1: the body was one object, or none of its items
                       // is to blame
  std::string field;   // "actions[1].url"; empty: the item or the body as a whole
  std::string message;  // what is allowed
};

// Appends the notifications of the body to `out`, in order; or leaves it as it was and returns what is wrong.
// `now_ms`: the wall clock, against which their times are held.
std::optional<InputError> ParsePublish(PublishType type, std::string_view body, int64_t now_ms,
                                       std::vector<model::Notification>& out);

}  // namespace tocsin::wire
