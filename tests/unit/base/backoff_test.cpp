#include "base/backoff.hpp"

#include <gtest/gtest.h>

#include <limits>
#include <set>

namespace triggerd {
namespace {

TEST(BackoffTest, GrowsByItsFactorUntilTheLongest) {
  const Backoff backoff{Millis(1000), Millis(6000), 2.0};
  EXPECT_EQ(backoff.delay(1, 1.0), Millis(1000));
  EXPECT_EQ(backoff.delay(2, 1.0), Millis(2000));
  EXPECT_EQ(backoff.delay(3, 1.0), Millis(4000));
  EXPECT_EQ(backoff.delay(4, 1.0), Millis(6000));
  EXPECT_EQ(backoff.delay(5, 1.0), Millis(6000));
  EXPECT_EQ(backoff.delay(0, 1.0), Millis(1000));
}

TEST(BackoffTest, UpperHalfIsRandom) {
  const Backoff backoff{Millis(1000), Millis(6000), 2.0};
  EXPECT_EQ(backoff.delay(1, 0.0), Millis(500));
  EXPECT_EQ(backoff.delay(1, 0.5), Millis(750));
  EXPECT_EQ(backoff.delay(9, 0.0), Millis(3000));
  EXPECT_EQ(backoff.delay(1, -1.0), Millis(500));
  EXPECT_EQ(backoff.delay(1, 2.0), Millis(1000));
}

TEST(BackoffTest, MayStayTheSame) {
  const Backoff backoff{Millis(1000), Millis(6000), 1.0};
  EXPECT_EQ(backoff.delay(100, 1.0), Millis(1000));
}

TEST(BackoffTest, BearsAnyNumberOfFailures) {
  const Backoff backoff{Millis(1000), Millis(6000), 1000.0};
  EXPECT_EQ(backoff.delay(std::numeric_limits<std::uint32_t>::max(), 1.0), Millis(6000));
  EXPECT_EQ(backoff.delay(200, 1.0), Millis(6000));
}

TEST(SystemRandomTest, IsInRangeAndNotAlwaysTheSame) {
  const Random random = system_random();
  std::set<double> seen;
  for (int i = 0; i < 100; ++i) {
    const double value = random();
    EXPECT_GE(value, 0.0);
    EXPECT_LT(value, 1.0);
    seen.insert(value);
  }
  EXPECT_GT(seen.size(), 90u);
  // Two sources do not step together.
  EXPECT_NE(system_random()(), system_random()());
}

}  // namespace
}  // namespace triggerd
