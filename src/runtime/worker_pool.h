// WorkerPool: threads that may block, for reads that have to wait for the disk. A Core submits, the worker posts the
// answer back to it.
#pragma once

#include <condition_variable>
#include <deque>
#include <mutex>
#include <thread>
#include <vector>

#include "base/task.h"

namespace tocsin::runtime {

class WorkerPool {
 public:
  // `name` names the threads (at most 10 bytes); `threads` > 0.
  WorkerPool(const char* name, int threads);
  ~WorkerPool();  // Stop()
  WorkerPool(const WorkerPool&) = delete;
  WorkerPool& operator=(const WorkerPool&) = delete;

  // Thread-safe. Tasks start in the order submitted. Dropped after Stop().
  void Submit(base::Task task);
  // Runs what was submitted, then ends the threads.
  void Stop();

 private:
  void Loop();

  std::mutex mutex_;
  std::condition_variable wake_;
  std::deque<base::Task> tasks_;
  bool stopping_ = false;
  std::vector<std::thread> threads_;
};

}  // namespace tocsin::runtime
