// Stream: the bytes of a connected, non-blocking socket, plain or through TLS.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string_view>

#include "base/result.h"

namespace tocsin::redis {

class Stream {
 public:
  enum class Step : uint8_t {
    kDone,       // something was moved
    kWantRead,   // again when the socket can be read
    kWantWrite,  // again when the socket takes bytes
    kEnd,        // the peer has closed
    kFailed,     // failure()
  };
  virtual ~Stream() = default;
  // Before the first byte; again until kDone.
  virtual Step Handshake() = 0;
  virtual Step Read(std::span<char> into, size_t& got) = 0;
  // The same bytes, or more of them, are handed in until they are taken.
  virtual Step Write(std::string_view bytes, size_t& put) = 0;
  virtual const base::Status& failure() const = 0;
};

// `socket` is not owned.
std::unique_ptr<Stream> PlainStream(int socket);

}  // namespace tocsin::redis
