// An entry as any producer may XADD it: `name NUL value NUL ...`. What is accepted is stable (its own fields read back
// the same) and safe to build JSON of; what is refused has a reason that can be stored and shown.
#include <cstddef>
#include <cstdint>

#include "base/check.h"
#include "same_notification.h"
#include "wire/json.h"
#include "wire/notification_fields.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* bytes, size_t size) {
  namespace wire = tocsin::wire;
  std::string_view rest(reinterpret_cast<const char*>(bytes), size);
  const auto next = [&rest] {
    const size_t end = std::min(rest.find('\0'), rest.size());
    const std::string_view text = rest.substr(0, end);
    rest.remove_prefix(std::min(end + 1, rest.size()));
    return std::string(text);
  };
  tocsin::model::StreamFields fields;
  while (!rest.empty()) {
    std::string name = next();
    fields.emplace_back(std::move(name), next());
  }
  const auto notification = wire::FromFields(fields);
  if (!notification.ok()) {
    CHECK(!notification.status().message().empty());
    CHECK(tocsin::model::IsValidUtf8(notification.status().message()));
    return 0;
  }
  for (const auto* text : {&notification->message, &notification->title, &notification->url, &notification->icon}) {
    CHECK(tocsin::model::IsValidUtf8(*text));
  }
  if (!notification->data.empty()) {
    const auto data = wire::ParseJson(notification->data);
    CHECK(data.ok() && data->is_object());
  }
  const auto again = wire::FromFields(wire::ToFields(*notification));
  CHECK_MSG(again.ok(), again.status().message());
  CHECK(fuzz::Same(*again, *notification));
  return 0;
}
