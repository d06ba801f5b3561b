// MarkOp: what a user does to items of the own log.
//   seen, read   raise the state to that at least        unread   back to seen, if it was read or archived
//   archive      out of the inbox; counts as read        delete   gone, on every device
// What only the service does to them:
//   expire       gone: its time has passed               update   has another content; its state stays
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

namespace tocsin::model {

enum class MarkOp : uint8_t { kRead, kUnread, kSeen, kArchive, kDelete, kExpire, kUpdate };  // stored: never renumber
inline constexpr size_t kMarkOps = 7;
inline constexpr size_t kUserMarkOps = 5;  // the first ones: what a user may ask for
std::string_view MarkOpName(MarkOp op);    // "read", "unread", "seen", "archive", "delete", "expire", "update"
// What a user may ask for.
std::optional<MarkOp> ParseMarkOp(std::string_view name);
// The item is not in the log any more after it.
inline bool Removes(MarkOp op) { return op == MarkOp::kDelete || op == MarkOp::kExpire; }

}  // namespace tocsin::model
