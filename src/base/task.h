// Task: a move-only `void()` callable that is run once. std::function would have to copy what it carries, and what
// crosses threads here is owned (C++23 has std::move_only_function for this).
#pragma once

#include <memory>
#include <type_traits>
#include <utility>

namespace tocsin::base {

class Task {
 public:
  Task() = default;
  template <typename F>
  requires(!std::is_same_v<std::decay_t<F>, Task> && std::is_invocable_v<std::decay_t<F>&>)
      Task(F&& callable)  // NOLINT: implicit on purpose, as std::function
      : body_(std::make_unique<Holder<std::decay_t<F>>>(std::forward<F>(callable))) {}

  explicit operator bool() const { return body_ != nullptr; }
  void operator()() { body_->Run(); }

 private:
  struct Body {
    virtual ~Body() = default;
    virtual void Run() = 0;
  };
  template <typename F>
  struct Holder final : Body {
    explicit Holder(F&& f) : callable(std::move(f)) {}
    explicit Holder(const F& f) : callable(f) {}
    void Run() override { callable(); }
    F callable;
  };
  std::unique_ptr<Body> body_;
};

}  // namespace tocsin::base
