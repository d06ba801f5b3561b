// Glob: the patterns of KEYS, SCAN and CONFIG GET: `*`, `?`, `[a-z]`, `[^a]`, `\x`. Costs at most pattern times text.
#pragma once

#include <string_view>

namespace tocsin::commands {

bool Glob(std::string_view pattern, std::string_view text);

}  // namespace tocsin::commands
