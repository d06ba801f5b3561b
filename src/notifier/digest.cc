#include "notifier/digest.h"

#include "notifier/router.h"

namespace tocsin::notifier {

std::string DigestNid(std::string_view nid) {
  const auto parts = ParseNid(nid);
  if (!parts) return {};
  return NidOf(std::string(parts->stream).append(kDigestSuffix), parts->id);
}

bool IsDigest(std::string_view nid) { return nid.ends_with(kDigestSuffix); }

}  // namespace tocsin::notifier
