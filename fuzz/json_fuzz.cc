// ParseJson against Boost.JSON: what we accept, Boost accepts; what Boost accepts and we do not is one of the
// narrowings that json.h states. Then every value of an accepted text is read.
#include <cstddef>
#include <cstdint>

#include <boost/json.hpp>

#include "base/check.h"
#include "wire/json.h"

namespace {

using tocsin::wire::JsonValue;

void Walk(JsonValue value) {
  CHECK(tocsin::wire::ParseJson(value.raw).ok());
  switch (value.kind) {
    case tocsin::wire::JsonKind::kObject:
      for (tocsin::wire::MemberReader m(value); m.Next();) Walk(m.value());
      break;
    case tocsin::wire::JsonKind::kArray:
      for (tocsin::wire::ElementReader e(value); e.Next();) Walk(e.value());
      break;
    case tocsin::wire::JsonKind::kString: {
      std::string written;
      tocsin::wire::AppendJsonString(written, Text(value));
      const auto again = tocsin::wire::ParseJson(written);
      CHECK(again.ok() && Text(*again) == Text(value));
      break;
    }
    default:
      static_cast<void>(Integer(value));
      static_cast<void>(Double(value));
  }
}

bool StatedNarrowing(std::string_view message) {
  for (std::string_view why : {"a second time in its object", "levels", "half of a surrogate pair"}) {
    if (message.find(why) != message.npos) return true;
  }
  return false;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* bytes, size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(bytes), size);
  const auto value = tocsin::wire::ParseJson(text);
  boost::json::error_code error;
  boost::json::parse_options options;
  options.max_depth = 64;
  static_cast<void>(boost::json::parse({text.data(), text.size()}, error, {}, options));
  if (value.ok()) {
    // Boost refuses exponents beyond an int, which JSON does not.
    CHECK(!error || error == boost::json::error::exponent_overflow);
    Walk(*value);
  } else {
    CHECK(error || StatedNarrowing(value.status().message()));
  }
  return 0;
}
