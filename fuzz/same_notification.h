// Whether two notifications are the same in every field, and valid where JSON is made of them.
#pragma once

#include <algorithm>

#include "model/notification.h"

namespace fuzz {

inline bool Same(const tocsin::model::Notification& a, const tocsin::model::Notification& b) {
  const bool actions =
      std::equal(a.actions.begin(), a.actions.end(), b.actions.begin(), b.actions.end(),
                 [](const auto& x, const auto& y) { return x.id == y.id && x.title == y.title && x.url == y.url; });
  return actions && a.users == b.users && a.message == b.message && a.title == b.title && a.url == b.url &&
         a.icon == b.icon && a.lang == b.lang && a.priority == b.priority && a.data == b.data &&
         a.deliver_at_ms == b.deliver_at_ms;
}

}  // namespace fuzz
