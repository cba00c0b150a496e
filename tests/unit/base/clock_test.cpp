#include "base/clock.hpp"

#include <gtest/gtest.h>

#include <ctime>

namespace triggerd {
namespace {

std::chrono::nanoseconds read_clock(clockid_t id) {
  timespec time{};
  EXPECT_EQ(::clock_gettime(id, &time), 0);
  return std::chrono::seconds(time.tv_sec) + std::chrono::nanoseconds(time.tv_nsec);
}

// Plugins compare deadlines with this clock.
TEST(SystemClockTest, MonotonicIsTheKernels) {
  const auto before = read_clock(CLOCK_MONOTONIC);
  const auto now = system_clock().now().time_since_epoch();
  const auto after = read_clock(CLOCK_MONOTONIC);
  EXPECT_LE(before, now);
  EXPECT_LE(now, after);
}

TEST(SystemClockTest, WallIsSince1970) {
  const auto seconds = [](std::chrono::nanoseconds time) {
    return std::chrono::duration_cast<std::chrono::seconds>(time).count();
  };
  // Not exact: somebody may set this clock between the two.
  EXPECT_NEAR(static_cast<double>(seconds(system_clock().wall().time_since_epoch())),
              static_cast<double>(seconds(read_clock(CLOCK_REALTIME))), 60);
}

}  // namespace
}  // namespace triggerd
