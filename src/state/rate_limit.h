// Rate limits: how much of a category a user gets at once. Within a window, which begins with the first notification,
// so many are delivered; the rest is summed up, and one digest of it is delivered when the window has ended.
//
// 1. Counted for each user and category on its own. The rule `*` is that of every category without one of its own, and
//    of what has none.
// 2. `critical` is neither summed up nor counted.
// 3. A window with something summed up lasts until its digest is made, which may be a moment after its end.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "model/notification.h"

namespace tocsin::state {

struct RateLimit {
  std::string category{};  // "*": see above
  uint64_t most = 0;       // delivered within a window
  int64_t window_ms = 0;
  friend bool operator==(const RateLimit&, const RateLimit&) = default;
};

class RateLimits {
 public:
  // Each category once.
  explicit RateLimits(std::vector<RateLimit> rules = {}) : rules_(std::move(rules)) {}
  bool empty() const { return rules_.empty(); }
  // Null: what is of that category and priority is not limited.
  const RateLimit* Of(std::string_view category, model::Priority priority) const;

 private:
  std::vector<RateLimit> rules_;
};

// Of one user and category.
struct LimitWindow {
  int64_t ends_ms = 0;
  uint64_t delivered = 0;
  uint64_t summed = 0;
  model::Priority highest = model::Priority::kLow;  // of the summed
  std::vector<std::string> nids{};                  // of the summed, the first kMaxDigestNids
  friend bool operator==(const LimitWindow&, const LimitWindow&) = default;
};

enum class Passage : uint8_t { kDeliver, kSum };

// What becomes of a notification that was accepted, or came due, at `at_ms`; the window is changed by it. A window that
// is over, or was never opened (LimitWindow()), begins anew.
Passage Pass(const RateLimit& limit, std::string_view nid, model::Priority priority, int64_t at_ms,
             LimitWindow& window);

std::string EncodeWindow(const LimitWindow& window);
base::Result<LimitWindow> DecodeWindow(std::string_view bytes);

// The digest of a window: a notification of its own, in the category of what it sums up, with the highest priority
// among them and `data` {"digest":{"count","category","nids"}}.
model::Notification MakeDigest(const std::string& user, std::string_view category, const LimitWindow& window);

}  // namespace tocsin::state
