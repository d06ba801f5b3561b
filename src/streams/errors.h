// Error replies of Redis 7.2, to the letter.
#pragma once

#include <string>
#include <string_view>

#include "base/result.h"

namespace tocsin::streams {

inline base::Status NoSuchKey() { return {base::Code::kNotFound, "ERR no such key"}; }

inline base::Status NoSuchGroup(std::string_view key, std::string_view group) {
  return {base::Code::kNotFound,
          "NOGROUP No such consumer group '" + std::string(group) + "' for key name '" + std::string(key) + "'"};
}

inline base::Status NoSuchKeyOrGroup(std::string_view key, std::string_view group, std::string_view where = {}) {
  return {base::Code::kNotFound, "NOGROUP No such key '" + std::string(key) + "' or consumer group '" +
                                     std::string(group) + "'" + std::string(where)};
}

inline constexpr std::string_view kInReadGroup = " in XREADGROUP with GROUP option";

inline base::Status GroupNeedsKey() {
  return {base::Code::kNotFound,
          "ERR The XGROUP subcommand requires the key to exist. Note that for CREATE you may want to use the MKSTREAM "
          "option to create an empty stream automatically."};
}

inline base::Status GroupExists() { return {base::Code::kConflict, "BUSYGROUP Consumer Group name already exists"}; }

inline base::Status Refused(std::string_view text) { return {base::Code::kInvalidArgument, std::string(text)}; }

}  // namespace tocsin::streams
