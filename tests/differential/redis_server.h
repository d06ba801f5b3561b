// RedisServer: a redis-server of our own, on a socket in a fresh directory, and one blocking connection to it. For
// tests that compare; replies come as text, one form for each kind, so that a difference can be read.
//
//   :1  "bulk"  +OK  -ERR text  nil  [a b c]
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include <sys/types.h>

namespace tocsin::differential {

class RedisServer {
 public:
  // `arguments` go behind the server's own.
  explicit RedisServer(const std::vector<std::string>& arguments = {});
  ~RedisServer();
  RedisServer(const RedisServer&) = delete;
  RedisServer& operator=(const RedisServer&) = delete;

  bool running() const { return socket_ >= 0; }
  std::string Ask(const std::vector<std::string>& command);

 private:
  bool Connect();
  std::string ReadReply();
  std::string ReadLine();
  std::string ReadBytes(size_t count);

  std::string dir_;
  pid_t pid_ = -1;
  int socket_ = -1;
  std::string buffer_;
  size_t taken_ = 0;
};

std::string Int(int64_t value);
std::string Bulk(std::string_view text);
std::string Array(const std::vector<std::string>& elements);
inline constexpr std::string_view kNil = "nil";

}  // namespace tocsin::differential
