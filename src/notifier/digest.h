// The names of digests: what a rate limit has summed up is told in a notification of its own (state/rate_limit.h).
#pragma once

#include <string>
#include <string_view>

namespace tocsin::notifier {

// Behind the name of a stream: a nid of such a stream is a digest's. Also what the logs take digests for.
inline constexpr std::string_view kDigestSuffix = "#digest";

// That of the digest whose first summed-up notification has this one: so a digest that is made twice has one name, and
// no other digest of its user has it. Empty: `nid` is none.
std::string DigestNid(std::string_view nid);
bool IsDigest(std::string_view nid);

}  // namespace tocsin::notifier
