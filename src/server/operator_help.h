// What `tocsin COMMAND --help` says of the operators' commands.
#pragma once

#include <string>

#include "server/command_line.h"

namespace tocsin::server {

// Of an operators' command; "" for any other.
std::string OperatorHelp(Command command);

}  // namespace tocsin::server
