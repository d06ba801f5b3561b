#include "load/loop.h"

#include <cerrno>
#include <cstdarg>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <ctime>

#include <sys/prctl.h>
#include <unistd.h>

namespace tocsin::bench {

namespace {
constexpr int64_t kNsPerSecond = 1'000'000'000;
constexpr size_t kEventsPerTurn = 512;
}  // namespace

int64_t NowNs() {
  timespec now{};
  clock_gettime(CLOCK_MONOTONIC, &now);
  return static_cast<int64_t>(now.tv_sec) * kNsPerSecond + now.tv_nsec;
}

void Die(const char* format, ...) {
  va_list arguments;
  va_start(arguments, format);
  std::fputs("tocsin-bench: ", stderr);
  std::vfprintf(stderr, format, arguments);
  std::fputc('\n', stderr);
  va_end(arguments);
  std::exit(1);
}

Loop::Loop() : epoll_fd_(epoll_create1(EPOLL_CLOEXEC)), ready_(kEventsPerTurn) {
  if (epoll_fd_ < 0) {
    Die("epoll_create1: %s", std::strerror(errno));
  }
  // The default slack of 50 us would be part of every open-loop latency.
  prctl(PR_SET_TIMERSLACK, 1UL, 0UL, 0UL, 0UL);
}

Loop::~Loop() { close(epoll_fd_); }

void Loop::Watch(int fd, uint32_t events, Handler* handler) {
  epoll_event event{};
  event.events = events;
  event.data.ptr = handler;
  if (epoll_ctl(epoll_fd_, EPOLL_CTL_ADD, fd, &event) != 0) {
    Die("epoll_ctl add: %s", std::strerror(errno));
  }
}

void Loop::Change(int fd, uint32_t events, Handler* handler) {
  epoll_event event{};
  event.events = events;
  event.data.ptr = handler;
  if (epoll_ctl(epoll_fd_, EPOLL_CTL_MOD, fd, &event) != 0) {
    Die("epoll_ctl mod: %s", std::strerror(errno));
  }
}

void Loop::Forget(int fd, const Handler* handler) {
  epoll_ctl(epoll_fd_, EPOLL_CTL_DEL, fd, nullptr);
  for (int i = serving_ + 1; i < ready_count_; ++i) {
    if (ready_[static_cast<size_t>(i)].data.ptr == handler) {
      ready_[static_cast<size_t>(i)].data.ptr = nullptr;
    }
  }
}

void Loop::Turn(int64_t deadline_ns) {
  int64_t wait_ns = deadline_ns - NowNs();
  if (wait_ns < 0) {
    wait_ns = 0;
  }
  timespec wait{};
  wait.tv_sec = wait_ns / kNsPerSecond;
  wait.tv_nsec = wait_ns % kNsPerSecond;
  ready_count_ = epoll_pwait2(epoll_fd_, ready_.data(), static_cast<int>(ready_.size()), &wait, nullptr);
  if (ready_count_ < 0) {
    if (errno != EINTR) {
      Die("epoll_pwait2: %s", std::strerror(errno));
    }
    ready_count_ = 0;
  }
  for (serving_ = 0; serving_ < ready_count_; ++serving_) {
    const epoll_event& event = ready_[static_cast<size_t>(serving_)];
    if (event.data.ptr != nullptr) {
      static_cast<Handler*>(event.data.ptr)->OnReady(event.events);
    }
  }
  ready_count_ = 0;
  serving_ = 0;
}

}  // namespace tocsin::bench
