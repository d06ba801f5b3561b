#include "notifier/scheduled_row.h"

#include "base/check.h"
#include "model/bytes.h"
#include "notifier/router.h"
#include "wire/notification_fields.h"

namespace tocsin::notifier {
namespace {

Timer TimerOf(std::string_view nid, int64_t due_ms, const model::Notification& notification) {
  const auto parts = ParseNid(nid);
  CHECK(parts.has_value());
  return {.name = std::string(nid),
          .due_ms = due_ms,
          .order = parts->id,
          .weight = notification.users.size(),
          .payload = EncodeFields(wire::ToFields(notification))};
}

}  // namespace

TimerNameParts PartsOfName(std::string_view name) {
  const size_t end = name.find('\0');
  if (end == std::string_view::npos) return {name, {}};
  return {name.substr(0, end), name.substr(end + 1)};
}

std::string HeldName(std::string_view nid, std::string_view user) {
  return std::string(nid).append(1, '\0').append(user);
}

Timer ScheduledTimer(std::string_view nid, const model::Notification& notification) {
  return TimerOf(nid, *notification.deliver_at_ms, notification);
}

Timer HeldTimer(std::string_view nid, const std::string& user, const model::Notification& notification,
                int64_t until_ms) {
  model::Notification for_one = notification;
  for_one.users = {user};
  Timer timer = TimerOf(nid, until_ms, for_one);
  timer.name = HeldName(nid, user);
  return timer;
}

std::string EncodeFields(const model::StreamFields& fields) {
  std::string out;
  model::PutVarint(out, fields.size());
  for (const auto& [name, value] : fields) {
    model::PutString(out, name);
    model::PutString(out, value);
  }
  return out;
}

base::Result<model::StreamFields> DecodeFields(std::string_view payload) {
  model::StreamFields out;
  model::ByteReader in(payload);
  uint64_t fields = 0;
  bool good = in.Varint(fields) && fields <= in.rest().size();
  for (uint64_t i = 0; good && i < fields; ++i) {
    std::string_view name, value;
    good = in.String(name) && in.String(value);
    out.emplace_back(name, value);
  }
  if (!good || !in.done()) return base::Status(base::Code::kCorruption, "a row of the schedule cannot be decoded");
  return out;
}

base::Result<model::Notification> DecodeScheduled(std::string_view payload) {
  auto fields = DecodeFields(payload);
  if (!fields.ok()) return fields.status();
  return wire::FromFields(*fields);
}

}  // namespace tocsin::notifier
