#include "base/event_loop.hpp"

#include <gtest/gtest.h>

#include <string>
#include <thread>

#include "support/fake_clock.hpp"

namespace triggerd {
namespace {

class EventLoopTest : public testing::Test {
 protected:
  EventLoop::Task says(const std::string& what) {
    return [this, what] { said_ += what; };
  }
  void advance(Millis by) {
    clock_.advance(by);
    loop_.run_due();
  }

  test::FakeClock clock_;
  EventLoop loop_{clock_};
  std::string said_;
};

TEST_F(EventLoopTest, RunsWhatIsPostedInOrder) {
  loop_.post(says("a"));
  loop_.post(says("b"));
  EXPECT_EQ(loop_.run_due(), 2U);
  EXPECT_EQ(said_, "ab");
  EXPECT_EQ(loop_.run_due(), 0U);
}

TEST_F(EventLoopTest, RunsWhatATaskPosts) {
  loop_.post([this] { loop_.post(says("inner")); });
  loop_.run_due();
  EXPECT_EQ(said_, "inner");
}

TEST_F(EventLoopTest, TimersRunWhenTheyAreDueInOrderOfTheirTime) {
  loop_.after(Millis(20), says("late"));
  loop_.after(Millis(10), says("early "));
  advance(Millis(9));
  EXPECT_EQ(said_, "");
  advance(Millis(11));
  EXPECT_EQ(said_, "early late");
}

TEST_F(EventLoopTest, TimersOfOneTimeRunInTheOrderTheyWereSet) {
  loop_.after(Millis(10), says("a"));
  loop_.after(Millis(10), says("b"));
  advance(Millis(10));
  EXPECT_EQ(said_, "ab");
}

TEST_F(EventLoopTest, ACancelledTimerDoesNotRun) {
  const auto id = loop_.after(Millis(10), says("a"));
  loop_.after(Millis(10), says("b"));
  loop_.cancel(id);
  loop_.cancel(id);
  loop_.cancel({});
  advance(Millis(10));
  EXPECT_EQ(said_, "b");
}

TEST_F(EventLoopTest, ATaskMayCancelATimerThatIsDueBesideIt) {
  EventLoop::TimerId second;
  loop_.after(Millis(10), [&] { loop_.cancel(second); });
  second = loop_.after(Millis(10), says("second"));
  advance(Millis(10));
  EXPECT_EQ(said_, "");
}

// A stop that was requested while tasks ran had its wake-up eaten by run_due(), and the loop slept
// on for ever.
TEST(EventLoop, AStopRequestedByATaskEndsTheLoop) {
  EventLoop loop(system_clock());
  std::stop_source stop;
  loop.post([&] { stop.request_stop(); });
  loop.run(stop.get_token());
}

TEST(EventLoop, RunsOnItsThreadUntilItIsStopped) {
  EventLoop loop(system_clock());
  std::jthread thread([&](std::stop_token stop) { loop.run(stop); });
  Mutex mutex;
  CondVar changed;
  int ran = 0;
  const auto count = [&] {
    MutexLock lock(mutex);
    ++ran;
    changed.notify_all();
  };
  loop.post(count);
  loop.after(Millis(1), count);
  loop.after(Millis(5), count);
  MutexLock lock(mutex);
  while (ran < 3) changed.wait(mutex);
}

}  // namespace
}  // namespace triggerd
