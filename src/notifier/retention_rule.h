// How much of a stream is kept. What the words mean, Retention tells.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

namespace tocsin::notifier {

enum class Needed : uint8_t { kKeep, kDrop };

struct RetentionRule {
  std::string stream{};
  std::optional<int64_t> age_ms{};
  std::optional<uint64_t> entries{};
  std::optional<uint64_t> bytes{};
  std::optional<uint64_t> cap_bytes{};
  Needed needed = Needed::kKeep;
};

}  // namespace tocsin::notifier
