// Publisher: one keep-alive HTTP connection that publishes one notification at a time.
#pragma once

#include <functional>
#include <string>
#include <string_view>

#include "load/connection.h"
#include "load/options.h"

namespace tocsin::bench {

class Publisher : public Connection {
 public:
  // Called after each 2xx answer; may publish again. Any other answer ends the program: a run with one is no run.
  using OnAnswered = std::function<void(Publisher* publisher, std::string_view answer_body)>;

  Publisher(Loop* loop, const Options& options, OnAnswered on_answered);

  // Only when idle.
  void Publish(std::string_view user, std::string_view body);
  bool idle() const { return idle_; }

 protected:
  size_t OnBytes(std::string_view bytes) override;
  void OnClosed() override;

 private:
  const Options& options_;
  OnAnswered on_answered_;
  std::string request_;
  bool idle_ = true;
};

}  // namespace tocsin::bench
