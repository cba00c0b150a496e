#include "trigger/draining.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <vector>

#include "support/fake_clock.hpp"

namespace triggerd::trigger {
namespace {

class ScriptedTrigger final : public Draining {
 public:
  explicit ScriptedTrigger(test::FakeClock& clock) : clock_(clock) {}

  bool drain(Monotonic deadline, Monotonic pause) override {
    ++drains;
    if (clock_.now() >= drained_at || drained_at == Monotonic()) return true;
    clock_.advance(
        std::chrono::floor<Millis>(std::min({pause, deadline, drained_at}) - clock_.now()));
    return clock_.now() >= drained_at;
  }
  bool leaving() const override { return leaves; }
  bool left() const override { return clock_.now() >= left_at; }
  void end_leaving() override { leaves = false; }
  // One each millisecond.
  std::uint64_t arrived() const override {
    const Monotonic::duration since = std::min(clock_.now(), arrives_until).time_since_epoch();
    return static_cast<std::uint64_t>(std::chrono::floor<Millis>(since).count());
  }
  void flush_acknowledgements() override { ++flushes; }

  Monotonic drained_at{};  // by default, it has nothing to finish
  Monotonic left_at{};
  Monotonic arrives_until{};
  bool leaves = false;
  int drains = 0;
  int flushes = 0;

 private:
  test::FakeClock& clock_;
};

class DrainingTest : public testing::Test {
 protected:
  // Returns how long it took.
  Millis drain(std::vector<Draining*> all, Millis at_most = Millis(60'000)) {
    const Monotonic began = clock_.now();
    drain_all(all,
              {.clock = clock_,
               .sleep =
                   [this](Monotonic until) {
                     clock_.advance(std::chrono::floor<Millis>(until - clock_.now()));
                   },
               .flush_inbox = [this](Monotonic) { ++inbox_flushes_; },
               .give_up = [this] { return clock_.now() >= give_up_at_; }},
              began + at_most);
    return std::chrono::floor<Millis>(clock_.now() - began);
  }

  test::FakeClock clock_;
  int inbox_flushes_ = 0;
  Monotonic give_up_at_ = Monotonic::max();
};

TEST_F(DrainingTest, WhatHasNothingToFinishTakesNoTime) {
  ScriptedTrigger trigger(clock_);
  EXPECT_EQ(drain({&trigger}), Millis(0));
  EXPECT_EQ(trigger.drains, 1);
  EXPECT_EQ(trigger.flushes, 0);
}

TEST_F(DrainingTest, WaitsForTheSlowestAndNoLonger) {
  ScriptedTrigger fast(clock_);
  ScriptedTrigger slow(clock_);
  fast.drained_at = clock_.now() + Millis(120);
  slow.drained_at = clock_.now() + Millis(730);
  EXPECT_EQ(drain({&fast, &slow}), Millis(730));
}

TEST_F(DrainingTest, EndsAtTheDeadline) {
  ScriptedTrigger stuck(clock_);
  stuck.drained_at = Monotonic::max();
  EXPECT_EQ(drain({&stuck}, Millis(1'000)), Millis(1'000));
}

TEST_F(DrainingTest, GivesUpSoonAfterItIsToldTo) {
  ScriptedTrigger stuck(clock_);
  stuck.drained_at = Monotonic::max();
  give_up_at_ = clock_.now() + Millis(300);
  EXPECT_LE(drain({&stuck}), Millis(350));
}

TEST_F(DrainingTest, ACleanSessionGoesOnUntilItsServerHasAnsweredAndIsQuiet) {
  ScriptedTrigger trigger(clock_);
  trigger.leaves = true;
  trigger.left_at = clock_.now() + Millis(500);
  const Millis took = drain({&trigger});
  EXPECT_GE(took, Millis(500));
  EXPECT_LE(took, Millis(800));
  EXPECT_FALSE(trigger.leaves) << "it receives nothing more";
  EXPECT_GE(inbox_flushes_, 3) << "or its server, which waits for acknowledgements, sends nothing";
  EXPECT_EQ(trigger.flushes, inbox_flushes_);
}

TEST_F(DrainingTest, WhatStillComesIsWaitedForAndFinished) {
  ScriptedTrigger trigger(clock_);
  trigger.leaves = true;
  trigger.arrives_until = clock_.now() + Millis(1'000);
  const Millis took = drain({&trigger});
  EXPECT_GE(took, Millis(1'000));
  EXPECT_LE(took, Millis(1'400));
  EXPECT_GE(trigger.drains, 5) << "what came is finished, too";
}

TEST_F(DrainingTest, AServerThatNeverAnswersIsWaitedForTwoSeconds) {
  ScriptedTrigger trigger(clock_);
  trigger.leaves = true;
  trigger.left_at = Monotonic::max();
  const Millis took = drain({&trigger});
  EXPECT_GE(took, Millis(2'000));
  EXPECT_LE(took, Millis(2'400));
}

TEST_F(DrainingTest, AServerThatSendsForEverEndsAtTheDeadline) {
  ScriptedTrigger trigger(clock_);
  trigger.leaves = true;
  trigger.arrives_until = Monotonic::max();
  EXPECT_EQ(drain({&trigger}, Millis(10'000)), Millis(10'000));
  EXPECT_FALSE(trigger.leaves);
}

}  // namespace
}  // namespace triggerd::trigger
