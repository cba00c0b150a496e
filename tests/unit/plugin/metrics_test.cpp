#include "plugin/metrics.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <thread>

namespace triggerd::plugin {
namespace {

TEST(Metrics, AddsUp) {
  Metrics metrics;
  std::uint64_t counter = 0;
  std::uint64_t gauge = 0;
  ASSERT_EQ(metrics.define("alerts_total", TRIGGER_METRIC_COUNTER, "alerts sent", counter),
            TRIGGER_OK);
  ASSERT_EQ(metrics.define("open", TRIGGER_METRIC_GAUGE, "", gauge), TRIGGER_OK);
  EXPECT_EQ(metrics.add(counter, 2), TRIGGER_OK);
  EXPECT_EQ(metrics.add(counter, 0.5), TRIGGER_OK);
  EXPECT_EQ(metrics.add(gauge, -3), TRIGGER_OK);
  const auto all = metrics.snapshot();
  ASSERT_EQ(all.size(), 2u);
  EXPECT_EQ(all[0].name, "alerts_total");
  EXPECT_EQ(all[0].help, "alerts sent");
  EXPECT_EQ(all[0].kind, TRIGGER_METRIC_COUNTER);
  EXPECT_EQ(all[0].value, 2.5);
  EXPECT_EQ(all[1].kind, TRIGGER_METRIC_GAUGE);
  EXPECT_EQ(all[1].value, -3);
}

TEST(Metrics, TheSameNameIsTheSameMetric) {
  Metrics metrics;
  std::uint64_t first = 0;
  std::uint64_t again = 0;
  ASSERT_EQ(metrics.define("n", TRIGGER_METRIC_GAUGE, "", first), TRIGGER_OK);
  EXPECT_EQ(metrics.define("n", TRIGGER_METRIC_GAUGE, "", again), TRIGGER_OK);
  EXPECT_EQ(first, again);
  EXPECT_EQ(metrics.define("n", TRIGGER_METRIC_COUNTER, "", again), TRIGGER_E_INVALID);
}

TEST(Metrics, RefusesWhatIsNoNameOrKind) {
  Metrics metrics;
  std::uint64_t id = 0;
  for (const std::string name : {"", "9lives", "Upper", "a-b", "a b", "\xc3\xa4"}) {
    EXPECT_EQ(metrics.define(name, TRIGGER_METRIC_GAUGE, "", id), TRIGGER_E_INVALID) << name;
  }
  EXPECT_EQ(metrics.define(std::string(101, 'a'), TRIGGER_METRIC_GAUGE, "", id), TRIGGER_E_INVALID);
  EXPECT_EQ(metrics.define("a", 2, "", id), TRIGGER_E_INVALID);
  EXPECT_EQ(metrics.define(std::string(100, 'a'), TRIGGER_METRIC_GAUGE, "", id), TRIGGER_OK);
  EXPECT_EQ(metrics.define("_a9", TRIGGER_METRIC_GAUGE, "", id), TRIGGER_OK);
}

TEST(Metrics, RefusesValuesThatSpoilASum) {
  Metrics metrics;
  std::uint64_t counter = 0;
  std::uint64_t gauge = 0;
  ASSERT_EQ(metrics.define("c", TRIGGER_METRIC_COUNTER, "", counter), TRIGGER_OK);
  ASSERT_EQ(metrics.define("g", TRIGGER_METRIC_GAUGE, "", gauge), TRIGGER_OK);
  constexpr double kHuge = std::numeric_limits<double>::max();
  EXPECT_EQ(metrics.add(counter, -1), TRIGGER_E_INVALID);
  EXPECT_EQ(metrics.add(gauge, std::nan("")), TRIGGER_E_INVALID);
  EXPECT_EQ(metrics.add(gauge, std::numeric_limits<double>::infinity()), TRIGGER_E_INVALID);
  EXPECT_EQ(metrics.add(gauge, kHuge), TRIGGER_OK);
  EXPECT_EQ(metrics.add(gauge, kHuge), TRIGGER_E_INVALID);
  EXPECT_EQ(metrics.add(0, 1), TRIGGER_E_INVALID);
  EXPECT_EQ(metrics.add(3, 1), TRIGGER_E_INVALID);
  EXPECT_EQ(metrics.snapshot()[0].value, 0);
  EXPECT_EQ(metrics.snapshot()[1].value, kHuge);
}

TEST(Metrics, SixtyFourAreEnough) {
  Metrics metrics;
  std::uint64_t id = 0;
  for (std::size_t i = 0; i < Metrics::kMax; ++i) {
    ASSERT_EQ(metrics.define("m" + std::to_string(i), TRIGGER_METRIC_GAUGE, "", id), TRIGGER_OK);
  }
  EXPECT_EQ(metrics.define("one_more", TRIGGER_METRIC_GAUGE, "", id), TRIGGER_E_FULL);
  EXPECT_EQ(metrics.define("m0", TRIGGER_METRIC_GAUGE, "", id), TRIGGER_OK);
  EXPECT_EQ(metrics.snapshot().size(), 64u);
}

TEST(Metrics, NothingIsLostBetweenThreads) {
  Metrics metrics;
  std::vector<std::thread> threads;
  for (int i = 0; i < 4; ++i) {
    threads.emplace_back([&metrics] {
      std::uint64_t id = 0;
      metrics.define("shared_total", TRIGGER_METRIC_COUNTER, "", id);
      for (int n = 0; n < 10'000; ++n) metrics.add(id, 1);
    });
  }
  for (std::thread& thread : threads) thread.join();
  ASSERT_EQ(metrics.snapshot().size(), 1u);
  EXPECT_EQ(metrics.snapshot()[0].value, 40'000);
}

}  // namespace
}  // namespace triggerd::plugin
