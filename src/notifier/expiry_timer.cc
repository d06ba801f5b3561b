#include "notifier/expiry_timer.h"

#include "base/check.h"
#include "model/bytes.h"
#include "notifier/router.h"
#include "notifier/scheduled_row.h"

namespace tocsin::notifier {

Timer ExpiryTimer(std::string_view nid, std::span<const std::string> users, size_t everybody, int64_t expires_ms) {
  const auto parts = ParseNid(nid);
  CHECK(!users.empty());
  Timer timer{.name = users.size() == everybody ? std::string(nid) : HeldName(nid, users.front()),
              .due_ms = expires_ms,
              .order = parts ? parts->id : model::EntryId{},
              .weight = users.size()};
  for (const std::string& user : users) model::PutString(timer.payload, user);
  return timer;
}

base::Result<std::vector<std::string>> LogsOfExpiry(std::string_view payload) {
  std::vector<std::string> logs;
  for (model::ByteReader in(payload); !in.done();) {
    std::string_view log;
    if (!in.String(log)) return base::Status(base::Code::kCorruption, "a timer of an expiry cannot be decoded");
    logs.emplace_back(log);
  }
  return logs;
}

}  // namespace tocsin::notifier
