// Why a connection ends, and what the client should do about it: the code of a `bye` frame and of the close frame.
//
//   4000-4099  stop: trying again cannot help         4200-4299  reconnect after `after_ms`
//   4100-4199  back off, then reconnect               4300-4399  get a new token, then reconnect
#pragma once

#include <cstdint>
#include <string_view>

namespace tocsin::session {

enum class CloseCode : uint16_t {
  kBadToken = 4001,  // the token is not valid: signature, issuer, audience, claims
  kRevoked = 4003,   // the user's tokens were revoked
  kProtocol = 4004,  // a frame that breaks the protocol, or no hello in time
  kOrigin = 4006,    // this page's origin is not allowed
  kOverload = 4100,  // the server cannot take the session now
  kSlow = 4103,      // did not read for too long, or fell behind what the log keeps
  kDrain = 4200,     // the server is going away
  kNoPong = 4202,    // no frame within 10 s of a ping
  kLogLost = 4203,   // the store has lost entries of the log: the next welcome tells
  kExpired = 4300,   // the token was valid and is not any more
};

// Reads on: "the token is not valid", ...; what a person is told when there is nothing more precise.
std::string_view Explain(CloseCode code);

}  // namespace tocsin::session
