// UTF-8 as RFC 3629 has it: no surrogates, no overlong forms, nothing above U+10FFFF.
#pragma once

#include <cstddef>
#include <string_view>

namespace tocsin::base {

// The bytes of the character that `text` begins with: 1 to 4. 0: it begins with none (or is empty).
size_t Utf8Length(std::string_view text);

}  // namespace tocsin::base
