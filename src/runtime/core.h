// Core: one thread and its event loop. Cores share nothing: everything a Core owns is touched on its thread only, and
// the one way in from another thread is Post(), which carries values or shared_ptr<const T>.
//
// Work is batched once per loop turn: a turn runs what is ready (descriptors, timers, posted tasks), then the turn-end
// hooks, in which every connection that has something to say writes once.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <vector>

#include "base/clock.h"
#include "base/task.h"

namespace tocsin::runtime {

class Core;

// A descriptor watched by a Core. Owned by whoever reads and writes it; destroying it ends the watch, not the
// descriptor.
class Watch {
 public:
  class Handler {
   public:
    virtual ~Handler() = default;
    // The descriptor can be read (or has failed: a read will tell). Stays armed: called again while there is more.
    virtual void OnReadable() = 0;
    // Asked for by WantWrite(); called once each time.
    virtual void OnWritable() = 0;
  };
  virtual ~Watch() = default;
  // OnWritable is called when the descriptor takes bytes again.
  virtual void WantWrite() = 0;
  // No OnReadable until Resume(): the way to push back on a peer.
  virtual void Pause() = 0;
  virtual void Resume() = 0;
};

class Core {
 public:
  // `index` names the thread (`core-0`); below 0 it is the one that speaks to a store (`store`). The clock outlives
  // the Core.
  Core(int index, const base::Clock& clock);
  ~Core();
  Core(const Core&) = delete;
  Core& operator=(const Core&) = delete;

  // Runs the loop on the caller's thread until Stop().
  void Run();
  // Thread-safe. The loop ends after the turn it is in; what was posted before is run.
  void Stop();

  // Thread-safe. Runs `task` on this Core, in the order posted. One wake-up for any number of posts between two turns.
  void Post(base::Task task);

  // The rest: on this Core's thread, or before Run().

  // Runs `task` once, not earlier than `delay_ms` from now. Not cancelled: a task looks whether it is still wanted.
  void After(int64_t delay_ms, base::Task task);
  // Runs `hook` every `period_ms` until the Core ends.
  void Every(int64_t period_ms, std::function<void()> hook);
  // Runs `hook` at the end of every turn, in the order of registration.
  void AtTurnEnd(std::function<void()> hook);
  // Watches a non-blocking descriptor. `handler` outlives the Watch. May be destroyed inside a handler call.
  std::unique_ptr<Watch> Observe(int descriptor, Watch::Handler& handler);

  int index() const { return index_; }
  const base::Clock& clock() const { return clock_; }
  // The Core that runs on this thread, or null.
  static Core* Current();

 private:
  struct Loop;  // epoll lives behind this
  void Turn();

  const int index_;
  const base::Clock& clock_;
  std::unique_ptr<Loop> loop_;

  std::mutex mailbox_mutex_;
  std::vector<base::Task> mailbox_;
  bool asleep_ = false;  // waits in the kernel, or is about to: a post must wake it. Under the mutex
  std::vector<base::Task> draining_;
};

}  // namespace tocsin::runtime
