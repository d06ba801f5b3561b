#include "redis/stream.h"

#include <cerrno>
#include <cstring>
#include <string>

#include <sys/socket.h>

namespace tocsin::redis {
namespace {

class Plain final : public Stream {
 public:
  explicit Plain(int socket) : socket_(socket) {}

  Step Handshake() override { return Step::kDone; }

  Step Read(std::span<char> into, size_t& got) override {
    const ssize_t size = recv(socket_, into.data(), into.size(), 0);
    if (size == 0) return Step::kEnd;
    if (size < 0) return Failed(Step::kWantRead);
    got = static_cast<size_t>(size);
    return Step::kDone;
  }

  Step Write(std::string_view bytes, size_t& put) override {
    const ssize_t size = send(socket_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (size < 0) return Failed(Step::kWantWrite);
    put = static_cast<size_t>(size);
    return Step::kDone;
  }

  const base::Status& failure() const override { return failure_; }

 private:
  Step Failed(Step again) {
    const int error = errno;
    if (error == EAGAIN || error == EWOULDBLOCK || error == EINTR) return again;
    failure_ = base::Status(base::Code::kUnavailable, std::strerror(error));
    return Step::kFailed;
  }

  const int socket_;
  base::Status failure_;
};

}  // namespace

std::unique_ptr<Stream> PlainStream(int socket) { return std::make_unique<Plain>(socket); }

}  // namespace tocsin::redis
