#include "base/alarm.hpp"

#include <gtest/gtest.h>

#include <thread>

namespace triggerd {
namespace {

constexpr Millis kSoon{20};
constexpr Millis kLater{60};
constexpr Millis kNeverHere{3'600'000};

Monotonic now() {
  return std::chrono::steady_clock::now();
}

class AlarmTest : public testing::Test {
 protected:
  void wait() TRIGGERD_EXCLUDES(mutex_) {
    const MutexLock lock(mutex_);
    alarm_.wait(mutex_);
  }
  Mutex mutex_;
  Alarm alarm_;
};

TEST_F(AlarmTest, RingsWhenItIsTime) {
  const Monotonic when = now() + kSoon;
  alarm_.set(when);
  wait();
  EXPECT_GE(now(), when);
}

TEST_F(AlarmTest, RingsAtOnceForWhatHasPassed) {
  for (const Monotonic when : {now() - kSoon, now(), Monotonic{}, Monotonic::min()}) {
    alarm_.set(when);
    wait();
  }
}

TEST_F(AlarmTest, TheLastTimeCounts) {
  alarm_.set(now() + kSoon);
  alarm_.set(Monotonic::max());
  const Monotonic when = now() + kLater;
  alarm_.set(when);
  wait();
  EXPECT_GE(now(), when);
}

TEST_F(AlarmTest, AnEarlierTimeReachesWhoWaits) {
  alarm_.set(now() + kNeverHere);
  std::thread waits([this] { wait(); });
  {
    const MutexLock lock(mutex_);  // it is free while somebody waits
  }
  alarm_.set(now());
  waits.join();
}

}  // namespace
}  // namespace triggerd
