#include "trigger/recovery.hpp"

#include <gtest/gtest.h>

#include "support/capture_log.hpp"
#include "support/fake_clock.hpp"

namespace triggerd::trigger {
namespace {

class RecoveryTest : public testing::Test {
 protected:
  void pass(Millis time) {
    clock_.advance(time);
    timer_.run_due();
  }

  test::FakeClock clock_;
  EventLoop timer_{clock_};
  TaskGuard tasks_;
  test::CaptureLog log_;
  bool suspended_ = true;
  bool has_monitor_ = false;
  bool has_probe_ = false;
  std::string asked_;  // what was asked, in order: m, p, or t for a message that is tried
  Recovery recovery_{"t",
                     Millis(1'000),
                     {.suspended = [this] { return suspended_; },
                      .ask_monitor =
                          [this] {
                            if (has_monitor_) asked_ += 'm';
                            return has_monitor_;
                          },
                      .ask_probe =
                          [this] {
                            if (has_probe_) asked_ += 'p';
                            return has_probe_;
                          },
                      .try_message = [this] { asked_ += 't'; }},
                     timer_,
                     tasks_,
                     log_};
};

TEST_F(RecoveryTest, TriesAMessageAfterTheIntervalIfThereIsNothingToAsk) {
  recovery_.arm();
  pass(Millis(999));
  EXPECT_EQ(asked_, "");
  pass(Millis(1));
  EXPECT_EQ(asked_, "t");
  pass(Millis(10'000));
  EXPECT_EQ(asked_, "t") << "what comes of it is waited for";
}

TEST_F(RecoveryTest, AsksTheMonitorBeforeTheProbe) {
  has_monitor_ = has_probe_ = true;
  recovery_.arm();
  pass(Millis(1'000));
  EXPECT_EQ(asked_, "m");
  has_monitor_ = false;
  recovery_.arm();
  pass(Millis(1'000));
  EXPECT_EQ(asked_, "mp");
}

TEST_F(RecoveryTest, AGoodAnswerHasAMessageTriedAtOnce) {
  has_probe_ = true;
  recovery_.arm();
  pass(Millis(1'000));
  recovery_.probed({});
  EXPECT_EQ(asked_, "pt");
}

TEST_F(RecoveryTest, ABadAnswerOrAFailedMessageIsTriedAgainAfterTheInterval) {
  has_probe_ = true;
  recovery_.arm();
  pass(Millis(1'000));
  recovery_.probed(fail("no database"));
  EXPECT_EQ(log_.count("trigger.suspended"), 1u);
  pass(Millis(1'000));
  EXPECT_EQ(asked_, "pp");
  recovery_.probed({});
  recovery_.message_failed();
  EXPECT_EQ(log_.count("trigger.suspended"), 2u);
  pass(Millis(1'000));
  EXPECT_EQ(asked_, "pptp");
}

TEST_F(RecoveryTest, DoesNothingOnceTheTriggerIsNotSuspended) {
  recovery_.arm();
  suspended_ = false;
  pass(Millis(1'000));
  recovery_.probed({});
  recovery_.probed(fail("no database"));
  EXPECT_EQ(asked_, "");
  EXPECT_EQ(log_.count("trigger.suspended"), 0u);
}

TEST_F(RecoveryTest, ArmedTwiceItTriesOnce) {
  recovery_.arm();
  pass(Millis(500));
  recovery_.arm();
  pass(Millis(500));
  EXPECT_EQ(asked_, "");
  pass(Millis(500));
  EXPECT_EQ(asked_, "t");
  pass(Millis(5'000));
  EXPECT_EQ(asked_, "t");
}

}  // namespace
}  // namespace triggerd::trigger
