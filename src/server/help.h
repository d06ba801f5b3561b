// What `tocsin --help` and `tocsin COMMAND --help` say.
#pragma once

#include <string>

#include "server/command_line.h"

namespace tocsin::server {

std::string MainHelp();
std::string HelpFor(Command command);

}  // namespace tocsin::server
