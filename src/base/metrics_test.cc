#include "base/metrics.h"

#include <thread>
#include <vector>

#include <gtest/gtest.h>

namespace tocsin::base {
namespace {

// Names that no other file registers; metrics live as long as the process.
Counter zebra_b("test_zebra_total", "Zebras", "kind=\"b\"");
Counter apple("test_apple_total", "Apples");
Counter zebra_a("test_zebra_total", "Zebras", "kind=\"a\"");
Gauge level("test_level", "How high");

std::string TestLines() {
  std::string lines;
  const std::string all = MetricsText();
  for (size_t at = 0; at < all.size();) {
    const size_t end = all.find('\n', at);
    EXPECT_NE(end, all.npos) << "the last line has no end";
    const std::string line = all.substr(at, end - at);
    if (line.find("test_") != line.npos) lines += line + "\n";
    at = end + 1;
  }
  return lines;
}

TEST(MetricsTest, TextIsSortedAndNamesEachMetricOnce) {
  zebra_b.Add(2);
  zebra_a.Add();
  apple.Add(40);
  apple.Add(2);
  level.Set(10);
  level.Add(-13);
  EXPECT_EQ(TestLines(),
            "# HELP test_apple_total Apples\n"
            "# TYPE test_apple_total counter\n"
            "test_apple_total 42\n"
            "# HELP test_level How high\n"
            "# TYPE test_level gauge\n"
            "test_level -3\n"
            "# HELP test_zebra_total Zebras\n"
            "# TYPE test_zebra_total counter\n"
            "test_zebra_total{kind=\"b\"} 2\n"
            "test_zebra_total{kind=\"a\"} 1\n");
}

TEST(MetricsTest, ThreadsLoseNothing) {
  static Counter shared("shared_by_threads_total", "Counted by many threads");
  std::vector<std::thread> threads;
  for (int i = 0; i < 12; ++i) {
    threads.emplace_back([] {
      for (int n = 0; n < 10'000; ++n) shared.Add();
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(shared.Value(), 120'000);
}

}  // namespace
}  // namespace tocsin::base
