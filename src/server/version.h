// The version of the binary.
#pragma once

#include <string_view>

namespace tocsin::server {

inline constexpr std::string_view kVersion = "0.1.0";  // as in CMakeLists.txt

}  // namespace tocsin::server
