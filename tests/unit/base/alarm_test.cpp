#include "base/alarm.hpp"

#include <gtest/gtest.h>

#include <atomic>
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
  const Monotonic when = now() + kLater;
  alarm_.set(when);
  wait();
  EXPECT_GE(now(), when);
}

// A thread that waits, for as long as nobody has set the alarm.
class AlarmOfAThreadTest : public AlarmTest {
 protected:
  ~AlarmOfAThreadTest() override {
    alarm_.set(now());
    if (waits_.joinable()) waits_.join();
  }
  // Returns once it waits: it gives the mutex back then.
  void begin_waiting() {
    waits_ = std::thread([this] {
      const MutexLock lock(mutex_);
      waiting_ = true;
      alarm_.wait(mutex_);
      rang_ = true;
    });
    while (!waiting_) std::this_thread::yield();
    const MutexLock lock(mutex_);
  }
  std::thread waits_;
  std::atomic<bool> waiting_ = false;
  std::atomic<bool> rang_ = false;
};

TEST_F(AlarmOfAThreadTest, NeverIsNever) {
  alarm_.set(now() + kSoon);
  alarm_.set(Monotonic::max());
  begin_waiting();
  std::this_thread::sleep_for(kLater);
  EXPECT_FALSE(rang_);
}

TEST_F(AlarmOfAThreadTest, MayBeSetBackWhileItIsWaitedFor) {
  Millis later = kLater;
  for (;; later *= 2) {
    const Monotonic when = now() + later;
    alarm_.set(when);
    begin_waiting();
    alarm_.set(Monotonic::max());
    if (now() < when) break;
    alarm_.set(now());  // too late for this test: again, with more time
    waits_.join();
    waiting_ = rang_ = false;
  }
  std::this_thread::sleep_for(2 * later);
  EXPECT_FALSE(rang_);
}

TEST_F(AlarmOfAThreadTest, AnEarlierTimeReachesWhoWaits) {
  alarm_.set(now() + kNeverHere);
  begin_waiting();
  alarm_.set(now());
  waits_.join();
  EXPECT_TRUE(rang_);
}

}  // namespace
}  // namespace triggerd
