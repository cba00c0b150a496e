#include "inbox/write_schedule.hpp"

#include <gtest/gtest.h>

#include "support/fake_clock.hpp"

namespace triggerd::inbox {
namespace {

using Step = WriteSchedule::Step;

constexpr Millis kGrace{1};
constexpr Millis kLongGrace{250};

class WriteScheduleTest : public testing::Test {
 protected:
  bool queue(Millis grace) { return schedule_.write_within(clock_.now(), grace); }
  Step next() { return schedule_.next(clock_.now()); }

  test::FakeClock clock_;
  WriteSchedule schedule_;
};

TEST_F(WriteScheduleTest, NothingIsToBeDoneWhileNothingIsQueued) {
  EXPECT_EQ(next(), Step::wait);
  EXPECT_EQ(schedule_.wake_at(), Monotonic::max());
}

TEST_F(WriteScheduleTest, WhatIsQueuedIsWrittenAfterItsGrace) {
  EXPECT_TRUE(queue(kGrace));
  EXPECT_TRUE(schedule_.is_anything_queued());
  EXPECT_EQ(next(), Step::wait);
  EXPECT_EQ(schedule_.wake_at(), clock_.now() + kGrace);
  clock_.advance(kGrace);
  EXPECT_EQ(next(), Step::write);
  schedule_.nothing_is_queued();
  EXPECT_EQ(next(), Step::wait);
}

TEST_F(WriteScheduleTest, TheFirstThatIsDueDecides) {
  EXPECT_TRUE(queue(kLongGrace));
  EXPECT_TRUE(queue(kGrace)) << "earlier than what there was";
  EXPECT_FALSE(queue(kGrace)) << "that is known";
  EXPECT_FALSE(queue(kLongGrace));
  clock_.advance(kGrace);
  EXPECT_EQ(next(), Step::write) << "all of it";
}

TEST_F(WriteScheduleTest, AHurryIsForWhatIsQueuedAndEndsWithIt) {
  schedule_.hurry();
  EXPECT_EQ(next(), Step::wait) << "nothing is queued";
  queue(kLongGrace);
  EXPECT_EQ(next(), Step::wait) << "it was queued after the end of the hurry";
  schedule_.hurry();
  EXPECT_EQ(next(), Step::write);
}

TEST_F(WriteScheduleTest, ALookIsDueOnlyWhereNothingIsQueued) {
  schedule_.rest_until(clock_.now() + Millis(100));
  EXPECT_EQ(schedule_.wake_at(), clock_.now() + Millis(100));
  clock_.advance(Millis(99));
  EXPECT_EQ(next(), Step::wait);
  clock_.advance(Millis(1));
  EXPECT_EQ(next(), Step::look);
  queue(kLongGrace);
  EXPECT_EQ(next(), Step::wait) << "writing looks too";
}

TEST_F(WriteScheduleTest, TheEndWritesWhatIsQueuedFirst) {
  queue(kLongGrace);
  EXPECT_FALSE(schedule_.ending());
  schedule_.end();
  EXPECT_TRUE(schedule_.ending());
  EXPECT_EQ(next(), Step::write);
  schedule_.nothing_is_queued();
  EXPECT_EQ(next(), Step::end);
}

}  // namespace
}  // namespace triggerd::inbox
