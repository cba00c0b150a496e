#include "base/histogram.hpp"

#include <gtest/gtest.h>

namespace triggerd {
namespace {

TEST(HistogramTest, EveryValueFallsIntoTheBucketThatEndsAtOrAboveIt) {
  std::size_t last = 0;
  for (std::uint64_t value = 0; value < 100'000; ++value) {
    const std::size_t bucket = Histogram::bucket_of(value);
    ASSERT_TRUE(bucket == last || bucket == last + 1) << value;
    ASSERT_GE(Histogram::upper_of(bucket), value);
    if (bucket > 0) {
      ASSERT_LT(Histogram::upper_of(bucket - 1), value);
    }
    last = bucket;
  }
}

TEST(HistogramTest, ABucketIsAtMostAFifthWiderThanItsSmallestValue) {
  for (std::size_t bucket = Histogram::kSteps; bucket < Histogram::kBuckets; ++bucket) {
    const double smallest = static_cast<double>(Histogram::upper_of(bucket - 1)) + 1;
    const double largest = static_cast<double>(Histogram::upper_of(bucket));
    EXPECT_LE(largest, smallest * 1.25) << bucket;
  }
}

TEST(HistogramTest, WhatIsTooLargeGoesIntoTheLastBucket) {
  EXPECT_EQ(Histogram::bucket_of(~std::uint64_t{0}), Histogram::kBuckets - 1);
}

TEST(HistogramTest, QuantilesAndBounds) {
  Histogram histogram;
  for (std::uint64_t i = 1; i <= 1'000; ++i) histogram.add(i * 1'000'000);  // 1 ms to 1 s
  const HistogramSnapshot taken = histogram.snapshot(1e9);
  EXPECT_EQ(taken.count, 1'000U);
  EXPECT_NEAR(taken.sum, 500.5, 1e-6);
  EXPECT_NEAR(taken.quantile(0.5), 0.5, 0.1);
  EXPECT_NEAR(taken.quantile(0.99), 0.99, 0.2);
  EXPECT_EQ(taken.at_most(10), 1'000U);
  EXPECT_EQ(taken.at_most(0.0001), 0U);
}

TEST(HistogramTest, NothingCountedIsNothing) {
  const HistogramSnapshot taken = Histogram().snapshot(1);
  EXPECT_EQ(taken.count, 0U);
  EXPECT_EQ(taken.quantile(0.5), 0);
  EXPECT_EQ(taken.at_most(1), 0U);
}

TEST(HistogramTest, TwoAddUp) {
  Histogram one;
  Histogram other;
  one.add(2);
  other.add(2);
  other.add(3);
  HistogramSnapshot sum = one.snapshot(1);
  sum.add(other.snapshot(1));
  EXPECT_EQ(sum.count, 3U);
  EXPECT_EQ(sum.at_most(2), 2U);
  EXPECT_EQ(sum.sum, 7);
}

}  // namespace
}  // namespace triggerd
