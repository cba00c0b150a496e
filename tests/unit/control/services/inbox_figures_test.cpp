#include "control/services/inbox_figures.hpp"

#include <gtest/gtest.h>

#include "unit/control/fixture.hpp"

namespace triggerd::control::test {
namespace {

class InboxFiguresTest : public Parts {};

TEST_F(InboxFiguresTest, WhereCountingIsQuickItIsDoneEachTime) {
  const InboxFigures figures(*inbox_, clock_);
  EXPECT_TRUE(figures.now().triggers.empty());
  inbox::DeadLetter dead_letter;
  dead_letter.trigger = "t";
  dead_letter.message_id = "m";
  dead_letter.topic = "x";
  ASSERT_TRUE(inbox_->dead_letters().add(dead_letter));
  EXPECT_EQ(figures.now().triggers.at("t").dead_letters, 1U);
}

// A clock on which every look costs time.
class SlowClock final : public Clock {
 public:
  Monotonic now() const override {
    clock_.advance(Millis(100));
    return clock_.now();
  }
  Wall wall() const override { return clock_.wall(); }
  void advance(Millis by) const { clock_.advance(by); }

 private:
  mutable FakeClock clock_;
};

TEST_F(InboxFiguresTest, WhereItTakesLongTheFiguresAreKeptForAWhile) {
  const SlowClock clock;
  const InboxFigures figures(*inbox_, clock);
  EXPECT_TRUE(figures.now().triggers.empty());
  inbox::DeadLetter dead_letter;
  dead_letter.trigger = "t";
  dead_letter.message_id = "m";
  dead_letter.topic = "x";
  ASSERT_TRUE(inbox_->dead_letters().add(dead_letter));
  EXPECT_TRUE(figures.now().triggers.empty());
  clock.advance(Millis(2'000));
  EXPECT_EQ(figures.now().triggers.size(), 1U) << "but never for longer than two seconds";
}

}  // namespace
}  // namespace triggerd::control::test
