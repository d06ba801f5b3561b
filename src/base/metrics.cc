#include "base/metrics.h"

#include <algorithm>
#include <mutex>
#include <vector>

namespace tocsin::base {
namespace {

struct Registry {
  std::mutex mutex;
  std::vector<const Metric*> metrics;
};

Registry& TheRegistry() {
  static auto* registry = new Registry;  // never destroyed: metrics are static and may outlive any order
  return *registry;
}

size_t ThreadSlot() {
  static std::atomic<size_t> next{0};
  thread_local size_t slot = next.fetch_add(1, std::memory_order_relaxed);
  return slot;
}

}  // namespace

Metric::Metric(std::string_view name, std::string_view help, std::string_view labels)
    : name_(name), help_(help), labels_(labels) {
  Registry& registry = TheRegistry();
  std::lock_guard lock(registry.mutex);
  registry.metrics.push_back(this);
}

void Counter::Add(int64_t n) { slots_[ThreadSlot() % slots_.size()].value.fetch_add(n, std::memory_order_relaxed); }

int64_t Counter::Value() const {
  int64_t sum = 0;
  for (const Slot& slot : slots_) sum += slot.value.load(std::memory_order_relaxed);
  return sum;
}

std::string MetricsText() {
  Registry& registry = TheRegistry();
  std::lock_guard lock(registry.mutex);
  std::vector<const Metric*> sorted = registry.metrics;
  std::stable_sort(sorted.begin(), sorted.end(), [](auto* a, auto* b) { return a->name() < b->name(); });
  std::string text, last;
  for (const Metric* metric : sorted) {
    if (metric->name() != last) {
      last = metric->name();
      text.append("# HELP ").append(last).append(" ").append(metric->help()).append("\n");
      text.append("# TYPE ").append(last).append(" ").append(metric->type()).append("\n");
    }
    text.append(last);
    if (!metric->labels().empty()) text.append("{").append(metric->labels()).append("}");
    text.append(" ").append(std::to_string(metric->Value())).append("\n");
  }
  return text;
}

}  // namespace tocsin::base
