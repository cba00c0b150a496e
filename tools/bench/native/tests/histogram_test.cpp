#include "common/histogram.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <memory>
#include <nlohmann/json.hpp>
#include <random>
#include <thread>
#include <vector>

namespace bench {
namespace {

// Large for a stack.
std::unique_ptr<Histogram> empty() {
  return std::make_unique<Histogram>();
}

TEST(Histogram, IsZeroWithoutValues) {
  const auto histogram = empty();
  EXPECT_EQ(histogram->count(), 0U);
  EXPECT_EQ(histogram->percentile(0.5), 0U);
  EXPECT_EQ(histogram->max(), 0U);
}

TEST(Histogram, OneValueIsEveryPercentileToOnePercent) {
  std::mt19937_64 random(1);
  for (int i = 0; i < 2000; ++i) {
    const std::uint64_t value = random() >> (23 + random() % 41);  // of every size below 2^41
    const auto histogram = empty();
    histogram->add(value);
    for (const double share : {0.0, 0.5, 0.999, 1.0}) {
      EXPECT_NEAR(static_cast<double>(histogram->percentile(share)), static_cast<double>(value),
                  0.01 * static_cast<double>(value));
    }
    EXPECT_EQ(histogram->max(), value);
    EXPECT_LE(histogram->percentile(1), histogram->max());
  }
}

TEST(Histogram, SmallValuesAreExact) {
  for (std::uint64_t value = 0; value < 256; ++value) {
    const auto histogram = empty();
    histogram->add(value);
    histogram->add(1'000'000);
    EXPECT_EQ(histogram->percentile(0.5), value);
  }
}

TEST(Histogram, PercentilesAreOfTheRankThatTheyName) {
  const auto histogram = empty();
  for (std::uint64_t i = 1; i <= 100'000; ++i) histogram->add(i * 1000);
  EXPECT_EQ(histogram->count(), 100'000U);
  for (const double share : {0.01, 0.5, 0.9, 0.99, 0.999}) {
    EXPECT_NEAR(static_cast<double>(histogram->percentile(share)), share * 1e8, share * 1e6);
  }
  EXPECT_EQ(histogram->max(), 100'000'000U);
}

TEST(Histogram, OneSlowOneInAThousandIsTheTopAndNotTheMedian) {
  const auto histogram = empty();
  for (int i = 0; i < 999; ++i) histogram->add(50'000);
  histogram->add(2'000'000'000);
  EXPECT_NEAR(static_cast<double>(histogram->percentile(0.999)), 5e4, 500);
  EXPECT_EQ(histogram->percentile(1), 2'000'000'000U);
}

TEST(Histogram, WhatIsLongerThanItKnowsStillCounts) {
  const auto histogram = empty();
  histogram->add(std::uint64_t{1} << 63);
  histogram->add(~std::uint64_t{0});
  EXPECT_EQ(histogram->count(), 2U);
  EXPECT_EQ(histogram->max(), ~std::uint64_t{0});
  EXPECT_GT(histogram->percentile(0.5), std::uint64_t{1} << 40);
}

TEST(Histogram, LosesNothingOfSeveralThreads) {
  const auto histogram = empty();
  std::vector<std::thread> threads;
  for (std::uint64_t t = 1; t <= 4; ++t) {
    threads.emplace_back([&histogram, t] {
      for (std::uint64_t i = 0; i < 10'000; ++i) histogram->add(t * 100 + i % 3);
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(histogram->count(), 40'000U);
  EXPECT_EQ(histogram->max(), 402U);
}

TEST(Histogram, ReportsAsJson) {
  const auto histogram = empty();
  for (std::uint64_t i = 1; i <= 100; ++i) histogram->add(i);
  EXPECT_EQ(report_line(7, nullptr), R"({"received":7})");
  const auto report = nlohmann::json::parse(report_line(100, histogram.get()));
  EXPECT_EQ(report["received"], 100);
  EXPECT_EQ(
      report["latency_ns"],
      (nlohmann::json{
          {"count", 100}, {"p50", 50}, {"p90", 90}, {"p99", 99}, {"p999", 100}, {"max", 100}}));
}

}  // namespace
}  // namespace bench
