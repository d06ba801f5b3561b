// ClientSocket: a blocking TCP connection with a time limit on every step, for the client commands.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/result.h"
#include "server/config.h"

namespace tocsin::server {

inline constexpr int64_t kConnectMs = 10'000;

// Where a server is: "http://host[:port]".
struct ServerAddress {
  Address address;
  std::string host;  // as the header Host says it

  // kInvalidArgument for anything but http:// and a host (a port, 80 otherwise); https:// is not supported yet.
  static base::Result<ServerAddress> Parse(std::string_view url);
};

class ClientSocket {
 public:
  // kUnavailable, naming the address and the reason.
  static base::Result<ClientSocket> Connect(const Address& address, int64_t limit_ms = kConnectMs);

  ClientSocket() = default;
  ClientSocket(ClientSocket&& other) noexcept;
  ClientSocket& operator=(ClientSocket&& other) noexcept;
  ~ClientSocket();

  bool open() const { return descriptor_ >= 0; }
  void Close();

  // All of it, or kUnavailable.
  base::Status Send(std::string_view bytes, int64_t limit_ms = kConnectMs);
  // Appends what comes next to `buffer`. kWouldBlock: nothing came within `limit_ms`, or a signal came; kUnavailable:
  // the connection has ended or failed.
  base::Status Receive(std::string& buffer, int64_t limit_ms);

 private:
  explicit ClientSocket(int descriptor) : descriptor_(descriptor) {}
  int descriptor_ = -1;
};

}  // namespace tocsin::server
