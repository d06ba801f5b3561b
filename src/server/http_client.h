// HttpClient: requests to a Tocsin server over one kept-alive connection, one after the other. For client commands.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "base/result.h"
#include "server/client_socket.h"
#include "wire/http.h"

namespace tocsin::server {

struct HttpAnswer {
  int status = 0;
  std::string body{};
};

// The answer at the front of `input`, when it is there whole: its bytes. 0: more is needed. kInvalidArgument: it is not
// HTTP/1.1 as a server speaks it. `keep_alive`: the connection takes another request. Interim answers (1xx) are
// skipped.
base::Result<size_t> ReadAnswer(std::string_view input, HttpAnswer& answer, bool& keep_alive);

class HttpClient {
 public:
  explicit HttpClient(ServerAddress server) : server_(std::move(server)) {}

  // kUnavailable: no answer; whether the request was carried out is then unknown.
  base::Result<HttpAnswer> Post(std::string_view path, std::span<const wire::HttpHeader> headers,
                                std::string_view body);

 private:
  base::Result<HttpAnswer> Exchange(std::string_view request);

  ServerAddress server_;
  ClientSocket socket_;
};

}  // namespace tocsin::server
