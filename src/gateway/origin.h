// Which pages may call this server (CORS, the Origin of a WebSocket), and under which names it serves its own.
#pragma once

#include <string_view>

#include "gateway/options.h"

namespace tocsin::gateway {

// `origin` equals one of `allowed_origins` or `public_url`, or is the server's own (its host and port are the request's
// Host). Exact: no prefix, no suffix, no `null`.
bool IsAllowedOrigin(const GatewayOptions& options, std::string_view origin, std::string_view host);
// localhost, a loopback address, the listen address or the host of `public_url`, with any port. Against DNS rebinding.
bool IsOwnHost(const GatewayOptions& options, std::string_view host);

inline constexpr std::string_view kSessionCookie = "tocsin_session";
// The value of our cookie in a Cookie header; empty: it is not there.
std::string_view SessionCookie(std::string_view cookies);

}  // namespace tocsin::gateway
