// Connection: a non-blocking TCP connection to the server under test, on loopback.
//
// 1. Send writes at once and keeps what the kernel did not take; there is no Nagle delay.
// 2. Received bytes reach OnBytes together with what it left unconsumed before.
// 3. An unexpected end is a call of OnClosed; the descriptor is then already closed.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "load/loop.h"

namespace tocsin::bench {

class Connection : public Loop::Handler {
 public:
  explicit Connection(Loop* loop) : loop_(loop) {}
  ~Connection() override { Close(); }
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;

  // Starts to connect to 127.0.0.1:`port`; what is sent before the connection stands is kept until then.
  void Connect(uint16_t port);
  void Send(std::string_view bytes);
  // Ends with a reset, so that thousands of connections leave no port behind in TIME_WAIT.
  void Close();
  bool open() const { return fd_ >= 0; }

  void OnReady(uint32_t events) override;

 protected:
  // Returns how many of `bytes` it has used; the rest comes again with the next ones.
  virtual size_t OnBytes(std::string_view bytes) = 0;
  virtual void OnClosed() = 0;

 private:
  void Flush();
  void Receive();

  Loop* loop_;
  int fd_ = -1;
  bool writable_watched_ = false;
  std::string out_;
  std::string in_;
};

}  // namespace tocsin::bench
