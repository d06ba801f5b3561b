// MintJwt: an HS256 token for one user, valid for an hour.
#pragma once

#include <string>
#include <string_view>

namespace tocsin::bench {

std::string MintJwt(std::string_view secret, std::string_view user);

}  // namespace tocsin::bench
