// What becomes of items in the user logs, counted by whichever store keeps them.
#pragma once

#include "base/metrics.h"

namespace tocsin::logs {

extern base::Counter collapsed;
extern base::Counter expired;

}  // namespace tocsin::logs
