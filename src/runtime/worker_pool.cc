#include "runtime/worker_pool.h"

#include <string>

#include <pthread.h>

namespace tocsin::runtime {

WorkerPool::WorkerPool(const char* name, int threads) {
  for (int i = 0; i < threads; ++i) {
    threads_.emplace_back([this, name, i] {
      pthread_setname_np(pthread_self(), (std::string(name) + "-" + std::to_string(i)).c_str());
      Loop();
    });
  }
}

WorkerPool::~WorkerPool() { Stop(); }

void WorkerPool::Submit(base::Task task) {
  {
    std::lock_guard lock(mutex_);
    if (stopping_) return;
    tasks_.push_back(std::move(task));
  }
  wake_.notify_one();
}

void WorkerPool::Stop() {
  {
    std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  wake_.notify_all();
  for (std::thread& thread : threads_) {
    if (thread.joinable()) thread.join();
  }
}

void WorkerPool::Loop() {
  std::unique_lock lock(mutex_);
  while (true) {
    wake_.wait(lock, [this] { return stopping_ || !tasks_.empty(); });
    if (tasks_.empty()) return;
    base::Task task = std::move(tasks_.front());
    tasks_.pop_front();
    lock.unlock();
    task();
    lock.lock();
  }
}

}  // namespace tocsin::runtime
