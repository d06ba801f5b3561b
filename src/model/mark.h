// MarkOp: what a user does to items of the own log.
//   seen, read   raise the state to that at least        unread   back to seen, if it was read or archived
//   archive      out of the inbox; counts as read        delete   gone, on every device
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

namespace tocsin::model {

enum class MarkOp : uint8_t { kRead, kUnread, kSeen, kArchive, kDelete };  // stored: never renumber
inline constexpr size_t kMarkOps = 5;
std::string_view MarkOpName(MarkOp op);  // "read", "unread", "seen", "archive", "delete"
std::optional<MarkOp> ParseMarkOp(std::string_view name);

}  // namespace tocsin::model
