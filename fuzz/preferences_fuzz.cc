// Preferences of a user: what is accepted is read back as it was stored, and gives a decision at any time; what is
// refused says why, and touches nothing.
#include <cstddef>
#include <cstdint>
#include <cstring>

#include "base/check.h"
#include "model/notification.h"
#include "state/delivery_decision.h"
#include "state/preferences.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* bytes, size_t size) {
  namespace state = tocsin::state;
  int64_t now_ms = 0;
  if (size < sizeof(now_ms)) return 0;
  std::memcpy(&now_ms, bytes, sizeof(now_ms));
  const std::string_view body(reinterpret_cast<const char*>(bytes) + sizeof(now_ms), size - sizeof(now_ms));
  state::Preferences preferences;
  if (const auto error = state::ParsePreferences(body, preferences)) {
    CHECK(preferences.empty() && !error->message.empty() && tocsin::model::IsValidUtf8(error->field));
    return 0;
  }
  const auto again = state::DecodePreferences(state::RenderPreferences(preferences));
  CHECK_MSG(again.ok(), again.status().message());
  CHECK(*again == preferences);
  now_ms %= 100LL * 365 * 24 * 3'600'000;
  const auto decision = state::Decide(preferences, "ads", tocsin::model::Priority::kHigh, now_ms);
  if (decision.what != state::Decision::What::kHold) return 0;
  CHECK(decision.until_ms > now_ms && decision.until_ms - now_ms < 3 * 24 * 3'600'000);
  return 0;
}
