#include "trigger/ack_flusher.hpp"

#include <gtest/gtest.h>

#include "support/fake_clock.hpp"

namespace triggerd::trigger {
namespace {

class AckFlusherTest : public testing::Test {
 protected:
  void add(unsigned count, bool flush_follows = false) {
    for (unsigned i = 0; i < count; ++i) flusher_.add(flush_follows);
  }
  void advance(Millis by) {
    clock_.advance(by);
    timer_.run_due();
  }

  test::FakeClock clock_;
  EventLoop timer_{clock_};
  unsigned writes_ = 0;
  AckFlusher flusher_{timer_, [this] { ++writes_; }};
};

TEST_F(AckFlusherTest, AFewWaitForEachOtherAndLeaveTogether) {
  add(3);
  advance(AckFlusher::kFlushWithin - Millis(1));
  EXPECT_EQ(writes_, 0U);
  add(1);
  advance(Millis(1));
  EXPECT_EQ(writes_, 1U) << "counted from the first one";
  advance(AckFlusher::kFlushWithin);
  EXPECT_EQ(writes_, 1U) << "nothing was added since";
}

TEST_F(AckFlusherTest, ManyDoNotWait) {
  add(AckFlusher::kFlushAfter - 1);
  EXPECT_EQ(writes_, 0U);
  add(1);
  EXPECT_EQ(writes_, 1U);
  add(1);
  advance(AckFlusher::kFlushWithin);
  EXPECT_EQ(writes_, 2U) << "the timer of the first ones is there for the next";
}

TEST_F(AckFlusherTest, WhoeverIsIdleFlushesAtOnceAndForNothingOnlyOnce) {
  add(1);
  flusher_.flush();
  flusher_.flush();
  EXPECT_EQ(writes_, 1U);
  advance(AckFlusher::kFlushWithin);
  EXPECT_EQ(writes_, 1U);
  add(1);
  advance(AckFlusher::kFlushWithin);
  EXPECT_EQ(writes_, 2U) << "the timer is set again";
}

TEST_F(AckFlusherTest, WhereAFlushFollowsNoTimerIsSet) {
  add(2, true);
  EXPECT_EQ(timer_.run_due(), 0U);
  clock_.advance(AckFlusher::kFlushWithin * 2);
  EXPECT_EQ(timer_.run_due(), 0U);
  flusher_.flush();
  EXPECT_EQ(writes_, 1U);
}

TEST_F(AckFlusherTest, AfterItsTasksEndTheTimerWritesNothing) {
  add(1);
  flusher_.end_tasks();
  advance(AckFlusher::kFlushWithin);
  EXPECT_EQ(writes_, 0U);
}

}  // namespace
}  // namespace triggerd::trigger
