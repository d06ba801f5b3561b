// Serve: the service from start to end, wired top to bottom.
#pragma once

#include "server/config.h"

namespace tocsin::server {

// Runs in the foreground until SIGTERM or SIGINT, then drains. The exit status: 0 after draining, 1 when it could not
// start (the reason stands on standard error).
int Serve(const Config& config);

}  // namespace tocsin::server
