#include "logs/redis_element.h"

#include <memory>
#include <utility>

#include "model/bytes.h"

namespace tocsin::logs {
namespace {

using base::Code;
using base::Result;
using base::Status;
using model::EntryId;

// Stands for RepeatedMembers(). No JSON begins with it.
constexpr char kRepeated = '\x01';

// With what the JSON of an item begins, as the router renders it: all of it follows from nid and priority.
std::string RepeatedMembers(const LogEntry& item) {
  std::string members = "\"nid\":\"";
  members.append(item.nid).append("\",\"ts\":").append(item.nid, 0, item.nid.find('-')).append(",\"prio\":\"");
  return members.append(model::PriorityName(item.priority)).append("\"");
}

}  // namespace

EntryId DecodeShortId(std::string_view bytes) {
  const uint64_t packed = model::GetBig64(bytes.data());
  return {packed >> 16, packed & kMaxLogSeq};
}

std::string EncodeElementEntry(const LogEntry& entry) {
  const std::string repeated = RepeatedMembers(entry);
  if (!entry.json.starts_with(repeated)) return EncodeLogEntry(entry);
  LogEntry shorter;
  shorter.nid = entry.nid;
  shorter.priority = entry.priority;
  shorter.traits = entry.traits;
  shorter.json.assign(1, kRepeated).append(entry.json, repeated.size());
  return EncodeLogEntry(shorter);
}

Result<LogLine> DecodeElement(std::string_view element) {
  constexpr size_t kPrefix = 1 + kShortIdBytes;
  if (element.size() <= kPrefix || static_cast<uint8_t>(element[0]) > static_cast<uint8_t>(ItemState::kArchived)) {
    return Status(Code::kCorruption, "an entry of a log on Redis cannot be read");
  }
  auto entry = DecodeLogEntry(DecodeShortId(element.substr(1)), element.substr(kPrefix));
  if (!entry.ok()) return entry.status();
  if (entry->is_item() && entry->json.starts_with(kRepeated)) entry->json.replace(0, 1, RepeatedMembers(*entry));
  LogLine line;
  line.state = static_cast<ItemState>(element[0]);
  line.entry = std::make_shared<const LogEntry>(std::move(*entry));
  return line;
}

}  // namespace tocsin::logs
