// What `tocsin serve --demo` says to the person who started it: where to look and what to type next.
#pragma once

#include <string>

#include "base/clock.h"
#include "server/config.h"
#include "server/credentials.h"

namespace tocsin::server {

// Holds the development key and a token for the user `demo`: for a terminal, never for a log.
std::string WelcomeText(const Config& config, const Address& listening, const Credentials& credentials,
                        const base::Clock& clock);

}  // namespace tocsin::server
