// Metric primitives and their Prometheus text. A metric is a static object that registers itself by being constructed;
// counting is one relaxed atomic add on a cache line that threads of one slot share.
//
//   static Counter published("tocsin_published_total", "Notifications accepted");
//   published.Add();
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <string>
#include <string_view>

namespace tocsin::base {

class Metric {
 public:
  // Name and help must outlive the process (string literals). `labels` as Prometheus writes them: `reason="trimmed"`.
  Metric(std::string_view name, std::string_view help, std::string_view labels);
  Metric(const Metric&) = delete;
  Metric& operator=(const Metric&) = delete;
  virtual ~Metric() = default;

  virtual std::string_view type() const = 0;
  virtual int64_t Value() const = 0;
  std::string_view name() const { return name_; }
  std::string_view help() const { return help_; }
  std::string_view labels() const { return labels_; }

 private:
  std::string_view name_, help_, labels_;
};

// Only grows.
class Counter final : public Metric {
 public:
  Counter(std::string_view name, std::string_view help, std::string_view labels = {}) : Metric(name, help, labels) {}
  void Add(int64_t n = 1);
  std::string_view type() const override { return "counter"; }
  int64_t Value() const override;

 private:
  struct alignas(64) Slot {
    std::atomic<int64_t> value{0};
  };
  std::array<Slot, 8> slots_;
};

// Goes up and down.
class Gauge final : public Metric {
 public:
  Gauge(std::string_view name, std::string_view help, std::string_view labels = {}) : Metric(name, help, labels) {}
  void Set(int64_t v) { value_.store(v, std::memory_order_relaxed); }
  void Add(int64_t n) { value_.fetch_add(n, std::memory_order_relaxed); }
  std::string_view type() const override { return "gauge"; }
  int64_t Value() const override { return value_.load(std::memory_order_relaxed); }

 private:
  std::atomic<int64_t> value_{0};
};

// Every metric in Prometheus text exposition format 0.0.4.
std::string MetricsText();

}  // namespace tocsin::base
