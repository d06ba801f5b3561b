// API keys of producers and back-ends: the setting `api_keys`.
//
// 1. Secrets are kept as SHA-256 only; a presented one is compared with every key, in constant time, without an early
// end.
// 2. A name may have two live keys, so that a producer can be moved to a new one without a gap.
// 3. Immutable after Parse: shared by all threads.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "auth/digest.h"
#include "base/result.h"

namespace tocsin::auth {

enum class Scope : uint8_t {
  kPublish = 1,  // POST /v1/notifications, XADD
  kRead = 2,     // inboxes, presence, trails, XRANGE, XINFO
  kConsume = 4,  // XREADGROUP, XACK and what goes with them
  kAdmin = 8,    // everything else: trim, destroy, redrive, revoke
};

class Scopes {
 public:
  constexpr Scopes() = default;
  constexpr Scopes(Scope scope) : bits_(static_cast<uint8_t>(scope)) {}  // NOLINT: implicit on purpose
  static constexpr Scopes All() { return Scopes(uint8_t{15}); }

  constexpr bool Has(Scope scope) const { return (bits_ & static_cast<uint8_t>(scope)) != 0; }
  constexpr bool empty() const { return bits_ == 0; }
  constexpr Scopes operator|(Scopes other) const { return Scopes(static_cast<uint8_t>(bits_ | other.bits_)); }
  friend constexpr bool operator==(Scopes, Scopes) = default;
  std::string ToString() const;  // "publish+read"; "" for none

 private:
  constexpr explicit Scopes(uint8_t bits) : bits_(bits) {}
  uint8_t bits_ = 0;
};
constexpr Scopes operator|(Scope a, Scope b) { return Scopes(a) | Scopes(b); }
std::string_view ScopeName(Scope scope);

// Whose key it was.
struct ApiKey {
  std::string name;  // what idempotency keys and counters are scoped to: the same for both live keys of a producer
  Scopes scopes;
};

inline constexpr std::string_view kDefaultKeyName = "default";  // the name of a bare secret, and Redis' default user
inline constexpr size_t kMaxApiKeys = 256;
inline constexpr size_t kMaxKeysPerName = 2;
inline constexpr size_t kMaxApiSecret = 256;  // bytes

class ApiKeys {
 public:
  // Comma list of `name:secret[:scope+scope]`; a bare secret is called `default` and, like a key without scopes, may do
  // everything. `@FILE`: one key a line in that file, empty lines and lines that start with `#` left out.
  // kInvalidArgument says which key (by name or place, never its secret) and what is allowed.
  static base::Result<ApiKeys> Parse(std::string_view setting);

  // The key that `secret` is; kUnauthenticated.
  base::Result<ApiKey> Check(std::string_view secret) const;
  // RESP `AUTH name secret`: the key must have that name. Clients that were given a password only send the name
  // `default`; that one matches every key.
  base::Result<ApiKey> CheckNamed(std::string_view name, std::string_view secret) const;

  size_t size() const { return keys_.size(); }

 private:
  struct Entry {
    Sha256Digest secret;
    ApiKey key;
  };
  base::Status Add(std::string_view entry, size_t place);
  const Entry* Find(std::string_view secret) const;

  std::vector<Entry> keys_;
};

}  // namespace tocsin::auth
