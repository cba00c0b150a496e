#include "mqtt/session/failure_reports.hpp"

#include <gtest/gtest.h>

#include "support/capture_log.hpp"
#include "support/fake_clock.hpp"

namespace triggerd::mqtt {
namespace {

class FailureReportsTest : public testing::Test {
 protected:
  void failed(const std::string& why, Millis later = Millis(0)) {
    clock_.advance(later);
    reports_.failed(why, Millis(2'000), clock_.now());
  }
  LogLevel level() const { return log_.lines("connection.failed").back().level; }
  std::string text() const { return log_.last("connection.failed"); }

  triggerd::test::FakeClock clock_;
  triggerd::test::CaptureLog log_;
  const ConnectionLog fields_{log_, ConnectionOptions{.alias = "plant"}};
  FailureReports reports_{fields_};
};

TEST_F(FailureReportsTest, TheSameFailureIsAWarningOnceAndThenFromTimeToTime) {
  failed("refused");
  EXPECT_EQ(level(), LogLevel::warn);
  EXPECT_EQ(text(), "refused; next attempt in 2s");
  failed("refused", std::chrono::minutes(4));
  EXPECT_EQ(level(), LogLevel::debug);
  EXPECT_EQ(text(), "refused; next attempt in 2s; not connected for 4m");
  failed("refused", std::chrono::minutes(1));
  EXPECT_EQ(level(), LogLevel::warn);
  failed("refused", std::chrono::minutes(1));
  EXPECT_EQ(level(), LogLevel::debug);
}

TEST_F(FailureReportsTest, AnotherFailureIsNews) {
  failed("refused");
  failed("no such host", Millis(1));
  EXPECT_EQ(level(), LogLevel::warn);
}

TEST_F(FailureReportsTest, AfterAConnectionItIsNewsAgain) {
  failed("refused");
  failed("refused", std::chrono::minutes(2));
  reports_.connected();
  failed("refused", std::chrono::minutes(1));
  EXPECT_EQ(level(), LogLevel::warn);
  EXPECT_EQ(text(), "refused; next attempt in 2s") << "it counts from here";
}

}  // namespace
}  // namespace triggerd::mqtt
