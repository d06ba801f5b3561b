#include "gateway/origin.h"

#include <algorithm>

#include "wire/http.h"

namespace tocsin::gateway {
namespace {

constexpr std::string_view kHttp = "http://", kHttps = "https://";

// "https://app.example:8443/x" -> "app.example:8443"; empty when it is no http(s) address.
std::string_view Authority(std::string_view url) {
  for (std::string_view scheme : {kHttp, kHttps}) {
    if (url.starts_with(scheme)) {
      url.remove_prefix(scheme.size());
      return url.substr(0, url.find_first_of("/?#"));
    }
  }
  return {};
}

std::string_view WithoutPort(std::string_view host) {
  if (host.starts_with('[')) return host.substr(0, host.find(']') + 1);
  return host.substr(0, host.find(':'));
}

}  // namespace

bool IsAllowedOrigin(const GatewayOptions& options, std::string_view origin, std::string_view host) {
  if (std::find(options.allowed_origins.begin(), options.allowed_origins.end(), origin) !=
      options.allowed_origins.end()) {
    return true;
  }
  if (!options.public_url.empty()) {
    const std::string_view url = options.public_url;
    const size_t end = url.find('/', url.find("://") + 3);
    if (origin == url.substr(0, end)) return true;
  }
  const std::string_view authority = Authority(origin);
  // The own origin: a page that this server gave out. A rebound name does not count, whatever its page says.
  return !authority.empty() && wire::EqualsIgnoreCase(authority, host) && IsOwnHost(options, host);
}

bool IsOwnHost(const GatewayOptions& options, std::string_view host) {
  const std::string_view name = WithoutPort(host);
  if (name.empty()) return false;
  for (std::string_view own : {std::string_view("localhost"), std::string_view("127.0.0.1"), std::string_view("[::1]"),
                               std::string_view(options.listen_host), WithoutPort(Authority(options.public_url))}) {
    if (!own.empty() && wire::EqualsIgnoreCase(name, own)) return true;
  }
  return false;
}

std::string_view SessionCookie(std::string_view cookies) {
  while (!cookies.empty()) {
    const size_t end = std::min(cookies.find(';'), cookies.size());
    std::string_view cookie = cookies.substr(0, end);
    cookies.remove_prefix(std::min(end + 1, cookies.size()));
    while (cookie.starts_with(' ')) cookie.remove_prefix(1);
    if (cookie.size() > kSessionCookie.size() && cookie.starts_with(kSessionCookie) &&
        cookie[kSessionCookie.size()] == '=') {
      return cookie.substr(kSessionCookie.size() + 1);
    }
  }
  return {};
}

}  // namespace tocsin::gateway
