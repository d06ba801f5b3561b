#include "runtime/core.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <queue>
#include <string>

#include <pthread.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/check.h"

namespace tocsin::runtime {
namespace {

constexpr int kEventsPerTurn = 256;

thread_local Core* current_core = nullptr;

// A watched descriptor, as the kernel knows it: its address is what an event carries. Level-triggered, so it stays
// armed without a system call for each readiness. It outlives its Watch until the end of the turn, because an event
// for it may already be in this turn's hands.
struct Observed {
  int descriptor = -1;
  Watch::Handler* handler = nullptr;  // null once the Watch is gone
  uint32_t wanted = 0;                // EPOLLIN, EPOLLOUT
  bool registered = false;
};

}  // namespace

// Timers fire in the order of their times; of equal ones, in the order they were set.
struct Core::Loop {
  struct Timer {
    int64_t due_us;
    uint64_t number;
    std::shared_ptr<base::Task> task;
    bool operator>(const Timer& other) const { return std::tie(due_us, number) > std::tie(other.due_us, other.number); }
  };

  int epoll = epoll_create1(EPOLL_CLOEXEC);
  int wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  std::array<epoll_event, kEventsPerTurn> events;
  std::priority_queue<Timer, std::vector<Timer>, std::greater<>> timers;
  uint64_t next_timer = 0;
  std::vector<std::function<void()>> turn_end;
  std::vector<std::unique_ptr<Observed>> graveyard;
  bool stop = false;

  Loop() {
    CHECK(epoll >= 0 && wake >= 0);
    epoll_event event{};
    event.events = EPOLLIN;
    event.data.ptr = nullptr;
    CHECK(epoll_ctl(epoll, EPOLL_CTL_ADD, wake, &event) == 0);
  }
  ~Loop() {
    close(wake);
    close(epoll);
  }
  Loop(const Loop&) = delete;
  Loop& operator=(const Loop&) = delete;

  // Nothing wanted is taken out of the set: a hang-up would be reported for ever otherwise.
  void Register(Observed& observed) {
    epoll_event event{};
    event.events = observed.wanted;
    event.data.ptr = &observed;
    int operation = EPOLL_CTL_MOD;
    if (observed.wanted == 0) {
      if (!observed.registered) return;
      operation = EPOLL_CTL_DEL;
    } else if (!observed.registered) {
      operation = EPOLL_CTL_ADD;
    }
    CHECK(epoll_ctl(epoll, operation, observed.descriptor, &event) == 0);
    observed.registered = observed.wanted != 0;
  }

  void Add(int64_t due_us, std::shared_ptr<base::Task> task) { timers.push({due_us, next_timer++, std::move(task)}); }

  // Milliseconds to the next timer, rounded up so that it is due then; -1: none.
  int Timeout(int64_t now_us) const {
    if (timers.empty()) return -1;
    return static_cast<int>(std::clamp<int64_t>((timers.top().due_us - now_us + 999) / 1000, 0, 60'000));
  }

  void RunTimers(int64_t now_us) {
    while (!timers.empty() && timers.top().due_us <= now_us) {
      std::shared_ptr<base::Task> task = timers.top().task;
      timers.pop();
      (*task)();
    }
  }

  void Dispatch(const epoll_event& event) {
    auto* observed = static_cast<Observed*>(event.data.ptr);
    if (observed == nullptr) {
      uint64_t count = 0;
      while (read(wake, &count, sizeof count) > 0) {
      }
      return;
    }
    // A failed descriptor is told to whoever waits: the read or the write will say what it is.
    const bool failed = (event.events & (EPOLLERR | EPOLLHUP)) != 0;
    if ((observed->wanted & EPOLLOUT) != 0 && (failed || (event.events & EPOLLOUT) != 0) &&
        observed->handler != nullptr) {
      observed->wanted &= ~static_cast<uint32_t>(EPOLLOUT);
      Register(*observed);
      observed->handler->OnWritable();
    }
    if ((observed->wanted & EPOLLIN) != 0 && (failed || (event.events & EPOLLIN) != 0) &&
        observed->handler != nullptr) {
      observed->handler->OnReadable();
    }
  }

  // Calls hook, and again a period after it was due: late once, it does not drift.
  void Repeat(int64_t due_us, int64_t period_us, const std::shared_ptr<std::function<void()>>& hook,
              const base::Clock& clock) {
    Add(due_us, std::make_shared<base::Task>([this, due_us, period_us, hook, &clock] {
          (*hook)();
          Repeat(std::max(due_us + period_us, clock.MonotonicUs()), period_us, hook, clock);
        }));
  }

  class EpollWatch;
};

class Core::Loop::EpollWatch final : public Watch {
 public:
  EpollWatch(Loop& loop, int descriptor, Handler& handler) : loop_(loop), observed_(std::make_unique<Observed>()) {
    observed_->descriptor = descriptor;
    observed_->handler = &handler;
    Set(EPOLLIN);
  }
  ~EpollWatch() override {
    Set(0);
    observed_->handler = nullptr;
    loop_.graveyard.push_back(std::move(observed_));
  }
  EpollWatch(const EpollWatch&) = delete;
  EpollWatch& operator=(const EpollWatch&) = delete;

  void WantWrite() override { Set(observed_->wanted | EPOLLOUT); }
  void Pause() override { Set(observed_->wanted & ~static_cast<uint32_t>(EPOLLIN)); }
  void Resume() override { Set(observed_->wanted | EPOLLIN); }

 private:
  void Set(uint32_t wanted) {
    if (wanted == observed_->wanted) return;
    observed_->wanted = wanted;
    loop_.Register(*observed_);
  }
  Loop& loop_;
  std::unique_ptr<Observed> observed_;
};

Core::Core(int index, const base::Clock& clock) : index_(index), clock_(clock), loop_(std::make_unique<Loop>()) {}
Core::~Core() = default;

Core* Core::Current() { return current_core; }

void Core::Run() {
  CHECK(current_core == nullptr);
  current_core = this;
  const std::string name = index_ < 0 ? "store" : "core-" + std::to_string(index_);
  pthread_setname_np(pthread_self(), name.c_str());
  while (!loop_->stop) Turn();
  current_core = nullptr;
}

void Core::Turn() {
  Loop& loop = *loop_;
  int timeout = 0;
  {
    std::lock_guard lock(mailbox_mutex_);
    asleep_ = mailbox_.empty();
  }
  if (asleep_) timeout = loop.Timeout(clock_.MonotonicUs());
  const int ready = epoll_wait(loop.epoll, loop.events.data(), kEventsPerTurn, timeout);
  CHECK(ready >= 0 || errno == EINTR);
  {
    std::lock_guard lock(mailbox_mutex_);
    asleep_ = false;
    draining_.swap(mailbox_);
  }
  for (base::Task& task : draining_) task();
  draining_.clear();
  for (int i = 0; i < ready; ++i) loop.Dispatch(loop.events[static_cast<size_t>(i)]);
  loop.RunTimers(clock_.MonotonicUs());
  for (const auto& hook : loop.turn_end) hook();
  loop.graveyard.clear();
}

void Core::Stop() {
  Post([this] { loop_->stop = true; });
}

void Core::Post(base::Task task) {
  bool wake = false;
  {
    std::lock_guard lock(mailbox_mutex_);
    wake = asleep_ && mailbox_.empty();
    mailbox_.push_back(std::move(task));
  }
  if (!wake) return;
  const uint64_t one = 1;
  const ssize_t written = write(loop_->wake, &one, sizeof one);
  CHECK(written == sizeof one || errno == EAGAIN);
}

void Core::After(int64_t delay_ms, base::Task task) {
  loop_->Add(clock_.MonotonicUs() + delay_ms * 1000, std::make_shared<base::Task>(std::move(task)));
}

void Core::Every(int64_t period_ms, std::function<void()> hook) {
  loop_->Repeat(clock_.MonotonicUs() + period_ms * 1000, period_ms * 1000,
                std::make_shared<std::function<void()>>(std::move(hook)), clock_);
}

void Core::AtTurnEnd(std::function<void()> hook) { loop_->turn_end.push_back(std::move(hook)); }

std::unique_ptr<Watch> Core::Observe(int descriptor, Watch::Handler& handler) {
  return std::make_unique<Loop::EpollWatch>(*loop_, descriptor, handler);
}

}  // namespace tocsin::runtime
