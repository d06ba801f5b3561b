// A publish body: what is accepted survives its way through the ingest entry unchanged; what is refused says why. The
// first byte chooses the content type.
#include <cstddef>
#include <cstdint>

#include "base/check.h"
#include "same_notification.h"
#include "wire/json.h"
#include "wire/notification_fields.h"
#include "wire/publish.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* bytes, size_t size) {
  namespace wire = tocsin::wire;
  if (size == 0) return 0;
  const std::string_view body(reinterpret_cast<const char*>(bytes) + 1, size - 1);
  std::vector<tocsin::model::Notification> all;
  const auto type = bytes[0] % 2 == 0 ? wire::PublishType::kJson : wire::PublishType::kNdjson;
  if (const auto error = wire::ParsePublish(type, body, 1'700'000'000'000, all)) {
    CHECK(all.empty() && !error->message.empty() && tocsin::model::IsValidUtf8(error->field));
    return 0;
  }
  CHECK(!all.empty());
  for (const auto& notification : all) {
    wire::UnknownPriority unknown = wire::UnknownPriority::kNo;
    const auto again = wire::FromFields(wire::ToFields(notification), &unknown);
    CHECK_MSG(again.ok(), again.status().message());
    CHECK(unknown == wire::UnknownPriority::kNo);
    CHECK(fuzz::Same(*again, notification));
  }
  static_cast<void>(wire::ParsePublishType(body));
  return 0;
}
