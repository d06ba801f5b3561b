#include "runtime/core.h"

#include <chrono>
#include <string>

#include <boost/asio/io_context.hpp>
#include <boost/asio/posix/basic_stream_descriptor.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <pthread.h>

#include "base/check.h"

namespace tocsin::runtime {
namespace {

namespace asio = boost::asio;
using Descriptor = asio::posix::basic_stream_descriptor<asio::io_context::executor_type>;
using Timer = asio::basic_waitable_timer<std::chrono::steady_clock, asio::wait_traits<std::chrono::steady_clock>,
                                         asio::io_context::executor_type>;
using Error = boost::system::error_code;

// A turn ends after so many handlers even when more are ready: what has been queued for sockets must get out.
constexpr int kHandlersPerTurn = 128;

thread_local Core* current_core = nullptr;

// What the reactor's pending operations keep alive; the Watch may go while one of them is already queued.
struct Observed {
  Observed(asio::io_context& io, int fd, Watch::Handler& h) : descriptor(io, fd), handler(&h) {}
  Descriptor descriptor;
  Watch::Handler* handler;  // null once the Watch is gone
  bool reading = false;     // an async_wait is pending
  bool writing = false;
  bool paused = false;
};

void ArmRead(const std::shared_ptr<Observed>& observed) {
  if (observed->reading || observed->paused || observed->handler == nullptr) return;
  observed->reading = true;
  observed->descriptor.async_wait(Descriptor::wait_read, [observed](const Error& error) {
    observed->reading = false;
    if (error == asio::error::operation_aborted || observed->handler == nullptr || observed->paused) return;
    observed->handler->OnReadable();
    ArmRead(observed);
  });
}

class AsioWatch final : public Watch {
 public:
  explicit AsioWatch(std::shared_ptr<Observed> observed) : observed_(std::move(observed)) { ArmRead(observed_); }
  ~AsioWatch() override {
    observed_->handler = nullptr;
    observed_->descriptor.release();  // cancels what waits; the owner closes the descriptor
  }
  AsioWatch(const AsioWatch&) = delete;
  AsioWatch& operator=(const AsioWatch&) = delete;

  void WantWrite() override {
    if (observed_->writing) return;
    observed_->writing = true;
    observed_->descriptor.async_wait(Descriptor::wait_write, [observed = observed_](const Error& error) {
      observed->writing = false;
      if (error != asio::error::operation_aborted && observed->handler != nullptr) observed->handler->OnWritable();
    });
  }
  void Pause() override { observed_->paused = true; }
  void Resume() override {
    observed_->paused = false;
    ArmRead(observed_);
  }

 private:
  std::shared_ptr<Observed> observed_;
};

}  // namespace

struct Core::Loop {
  asio::io_context io{1};
  std::vector<std::function<void()>> turn_end;
  std::vector<std::unique_ptr<Timer>> periodic;
  bool stop = false;

  void Tick(Timer& timer, std::chrono::milliseconds period, const std::shared_ptr<std::function<void()>>& hook) {
    timer.expires_after(period);
    timer.async_wait([this, &timer, period, hook](const Error& error) {
      if (error) return;
      (*hook)();
      Tick(timer, period, hook);
    });
  }
};

Core::Core(int index, const base::Clock& clock) : index_(index), clock_(clock), loop_(std::make_unique<Loop>()) {}
Core::~Core() = default;

Core* Core::Current() { return current_core; }

void Core::Run() {
  CHECK(current_core == nullptr);
  current_core = this;
  pthread_setname_np(pthread_self(), ("core-" + std::to_string(index_)).c_str());
  auto keep_running = asio::make_work_guard(loop_->io);
  while (!loop_->stop) {
    loop_->io.run_one();
    for (int i = 1; i < kHandlersPerTurn && loop_->io.poll_one() > 0; ++i) {
    }
    for (const auto& hook : loop_->turn_end) hook();
  }
  current_core = nullptr;
}

void Core::Stop() {
  Post([this] { loop_->stop = true; });
}

void Core::Post(base::Task task) {
  bool first = false;
  {
    std::lock_guard lock(mailbox_mutex_);
    first = mailbox_.empty();
    mailbox_.push_back(std::move(task));
  }
  if (first) asio::post(loop_->io, [this] { DrainMailbox(); });
}

void Core::DrainMailbox() {
  {
    std::lock_guard lock(mailbox_mutex_);
    draining_.swap(mailbox_);
  }
  for (base::Task& task : draining_) task();
  draining_.clear();
}

void Core::After(int64_t delay_ms, base::Task task) {
  auto timer = std::make_shared<Timer>(loop_->io, std::chrono::milliseconds(delay_ms));
  auto held = std::make_shared<base::Task>(std::move(task));
  timer->async_wait([timer, held](const Error& error) {
    if (!error) (*held)();
  });
}

void Core::Every(int64_t period_ms, std::function<void()> hook) {
  auto& timer = *loop_->periodic.emplace_back(std::make_unique<Timer>(loop_->io));
  loop_->Tick(timer, std::chrono::milliseconds(period_ms), std::make_shared<std::function<void()>>(std::move(hook)));
}

void Core::AtTurnEnd(std::function<void()> hook) { loop_->turn_end.push_back(std::move(hook)); }

std::unique_ptr<Watch> Core::Observe(int descriptor, Watch::Handler& handler) {
  return std::make_unique<AsioWatch>(std::make_shared<Observed>(loop_->io, descriptor, handler));
}

}  // namespace tocsin::runtime
