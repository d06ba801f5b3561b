// Loop: one thread, one epoll, no timers of its own: a work asks it to wait at most until its next deadline.
//
// 1. Level-triggered; a handler is called once per turn with the events of its descriptor.
// 2. A handler that is forgotten during a turn is not called again in that turn.
#pragma once

#include <cstdint>
#include <vector>

#include <sys/epoll.h>

namespace tocsin::bench {

// CLOCK_MONOTONIC in nanoseconds; the time stamp that payloads carry.
int64_t NowNs();

// What a load generator does about a failure it cannot go on from: says it on standard error and exits with 1.
[[noreturn]] void Die(const char* format, ...) __attribute__((format(printf, 1, 2)));

class Loop {
 public:
  class Handler {
   public:
    virtual ~Handler() = default;
    virtual void OnReady(uint32_t events) = 0;
  };

  Loop();
  ~Loop();
  Loop(const Loop&) = delete;
  Loop& operator=(const Loop&) = delete;

  // `handler` is borrowed until Forget(fd, handler).
  void Watch(int fd, uint32_t events, Handler* handler);
  void Change(int fd, uint32_t events, Handler* handler);
  void Forget(int fd, const Handler* handler);

  // One turn: waits for events until `deadline_ns` (of NowNs) at most, and serves them.
  void Turn(int64_t deadline_ns);

 private:
  int epoll_fd_;
  std::vector<epoll_event> ready_;
  int ready_count_ = 0;
  int serving_ = 0;
};

}  // namespace tocsin::bench
