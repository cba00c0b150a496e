#include "trigger/running_report.hpp"

#include <gtest/gtest.h>

#include "config/trigger.hpp"
#include "support/capture_log.hpp"

namespace triggerd::trigger {
namespace {

using State = mqtt::ConnectionStatus::State;

class RunningReportTest : public testing::Test {
 protected:
  RunningReportTest() { trigger_.topics.resize(1); }

  static mqtt::ConnectionStatus status(State state, const std::string& reason = {}) {
    mqtt::ConnectionStatus status;
    status.state = state;
    status.reason = reason;
    if (state == State::up) status.grants = {{.filter = "a", .asked_qos = 1, .granted_qos = 1}};
    return status;
  }

  config::Trigger trigger_;
  test::CaptureLog log_;
  int changes_ = 0;
  RunningReport report_{trigger_, log_, [this] { ++changes_; }};
  RunningReport::Facts facts_{.serves = true};
};

TEST_F(RunningReportTest, RunsOnceConnectedWithItsServiceStarted) {
  report_.note(status(State::up), {.serves = false});
  EXPECT_FALSE(report_.running());
  report_.note(facts_);
  EXPECT_TRUE(report_.running());
  EXPECT_EQ(changes_, 1);
  EXPECT_EQ(log_.count("trigger.running"), 1u);
  report_.note(facts_);
  EXPECT_EQ(changes_, 1);
  EXPECT_EQ(log_.count("trigger.running"), 1u);
}

TEST_F(RunningReportTest, EachReasonIsToldOnce) {
  report_.note(status(State::waiting, "refused"), facts_);
  report_.note(status(State::connecting), facts_);
  report_.note(status(State::waiting, "refused"), facts_);
  EXPECT_EQ(log_.count("trigger.not_running"), 1u);
  report_.note(status(State::waiting, "no route"), facts_);
  EXPECT_EQ(log_.count("trigger.not_running"), 2u);
  report_.note(status(State::up), facts_);
  report_.note(status(State::waiting, "no route"), facts_);
  EXPECT_EQ(log_.count("trigger.not_running"), 3u) << "it ran between";
}

TEST_F(RunningReportTest, SuspendedAndDisabledAreReasonsOfTheirOwn) {
  report_.note(status(State::up), facts_);
  facts_.suspended = true;
  report_.note(facts_);
  EXPECT_FALSE(report_.running());
  facts_.disabled = true;
  report_.note(facts_);
  EXPECT_EQ(log_.count("trigger.not_running"), 2u);
  facts_ = {.serves = true};
  report_.note(facts_);
  EXPECT_TRUE(report_.running());
  EXPECT_EQ(changes_, 3);
}

TEST_F(RunningReportTest, AServiceThatDoesNotRunIsReportedByWhoeverStartsIt) {
  report_.note(status(State::up), {.serves = false});
  EXPECT_EQ(log_.count("trigger.not_running"), 0u);
}

}  // namespace
}  // namespace triggerd::trigger
