#include "trigger/delivery_reporter.hpp"

#include <gtest/gtest.h>

#include <memory>
#include <string>

#include "config/trigger.hpp"
#include "support/capture_log.hpp"
#include "support/fake_clock.hpp"
#include "unit/dispatch/messages.hpp"

namespace triggerd::trigger {
namespace {

namespace event = dispatch::event;

class DeliveryReporterTest : public testing::Test {
 protected:
  DeliveryReporterTest() {
    config_.name = "t";
    config_.alias = "a";
    config_.plugin = "p";
    config_.timeout = Millis(3'000);
    config_.retry.max_attempts = 5;
  }
  void report(const dispatch::DispatchEvent& event) { reporter_.report(event); }
  void unavailable(std::uint32_t failures, Millis next) {
    report(event::Unavailable{"no database", failures, next});
  }
  std::size_t told(std::string_view name) const { return log_.lines(name).size(); }
  // What `tail` gets; fails if there is nothing.
  management::AdminEvent next() {
    auto event = listener_->next(std::chrono::steady_clock::now());
    EXPECT_TRUE(event.has_value());
    return event.value_or(management::AdminEvent{});
  }
  void listen() {
    listener_ = events_.subscribe({.states = false, .messages = true, .trigger = {}}, 10);
  }

  config::Trigger config_;
  test::CaptureLog log_;
  test::FakeClock clock_;
  management::EventBus events_{clock_};
  std::unique_ptr<management::Subscription> listener_;
  DeliveryReporter reporter_{config_, log_, events_, clock_, [] { return std::string("s"); }};
  dispatch::DeliveryPtr delivery_ =
      dispatch::test::delivery(dispatch::test::message("topic", "payload"));
};

TEST_F(DeliveryReporterTest, ARetrySaysWhatFailedAndWhenItGoesOn) {
  report(event::Retrying{delivery_, 2, Millis(1'500), "down"});
  EXPECT_EQ(log_.last("message.retry"),
            "p:s will get \"topic\" again in 1s500ms (attempt 2 of 5 failed: down)");
  report(event::Retrying{delivery_, 3, Millis(1'500), ""});
  EXPECT_NE(log_.last("message.retry").find("failed: no reason given"), std::string::npos);
}

TEST_F(DeliveryReporterTest, ListenersGetEveryOutcomeOfAMessage) {
  listen();
  delivery_->attempts = 4;
  delivery_->took = Millis(250);
  reporter_.finished(*delivery_);
  const management::AdminEvent ok = next();
  EXPECT_EQ(ok.kind, "message");
  EXPECT_EQ(ok.verdict, "ok");
  EXPECT_EQ(ok.trigger + ok.alias + ok.plugin, "tap");
  EXPECT_EQ(ok.message_id, delivery_->id);
  EXPECT_EQ(ok.topic, "topic");
  EXPECT_EQ(ok.payload, "payload");
  EXPECT_EQ(ok.attempt, 4U);
  EXPECT_EQ(ok.seconds, 0.25);
  report(event::Retrying{delivery_, 2, Millis(1), "down"});
  const management::AdminEvent retry = next();
  EXPECT_EQ(retry.verdict + " " + retry.text, "retry down");
  EXPECT_EQ(retry.attempt, 2U) << "that of the event: the next one may be under way";
  EXPECT_EQ(retry.seconds, 0.0);
  report(event::PutOff{delivery_, 1, "away"});
  EXPECT_EQ(next().verdict, "unavailable");
  report(event::Discarded{delivery_, "out of attempts"});
  EXPECT_EQ(next().verdict, "discarded");
  report(event::Expired{delivery_});
  EXPECT_EQ(next().verdict, "expired");
  reporter_.dead_letter(*delivery_, 7, "refused");
  const management::AdminEvent dead = next();
  EXPECT_EQ(dead.kind, "dead_letter");
  EXPECT_EQ(dead.verdict + " " + dead.text, "reject refused");
  EXPECT_EQ(log_.last("message.dead_letter"), "\"topic\" is dead letter 7: refused");
}

TEST_F(DeliveryReporterTest, OfALargePayloadListenersGetTheBeginning) {
  listen();
  const std::string large(management::kMaxEventPayload + 1, 'x');
  reporter_.finished(*dispatch::test::delivery(dispatch::test::message("topic", large)));
  const management::AdminEvent event = next();
  EXPECT_EQ(event.payload.size(), management::kMaxEventPayload);
  EXPECT_EQ(event.payload_size, large.size());
}

TEST_F(DeliveryReporterTest, AnOutageThatIsOverAtOnceIsNotReported) {
  unavailable(1, Millis(1'000));
  report(event::Available{1, Millis(1'000)});
  EXPECT_EQ(told("trigger.unavailable") + told("trigger.available"), 0U);
}

TEST_F(DeliveryReporterTest, AnOutageIsReportedWhenItLastsAndWhenItIsOver) {
  unavailable(1, Millis(1'000));
  unavailable(2, Millis(2'000));
  EXPECT_EQ(told("trigger.unavailable"), 1U);
  clock_.advance(Millis(299'999));
  unavailable(3, Millis(30'000));
  EXPECT_EQ(told("trigger.unavailable"), 1U) << "reported already";
  clock_.advance(Millis(1));
  unavailable(4, Millis(30'000));
  EXPECT_EQ(told("trigger.unavailable"), 2U) << "from time to time";
  report(event::Available{4, Millis(301'500)});
  EXPECT_EQ(
      log_.last("trigger.available"),
      "what its service needs is available again after 5m2s and 4 attempts; its messages go on");
  report(event::Available{4, Millis(301'500)});
  EXPECT_EQ(told("trigger.available"), 1U);
}

TEST_F(DeliveryReporterTest, AServiceThatAsksForALongWaitIsReportedAtOnce) {
  unavailable(1, Millis(5'000));
  EXPECT_EQ(told("trigger.unavailable"), 1U);
}

TEST_F(DeliveryReporterTest, WhatHangsAndWhatIsNotBriefIsNamed) {
  report(event::Overrunning{delivery_});
  EXPECT_EQ(log_.last("message.overdue"),
            "p:s has not returned within 3s; it keeps a worker busy until it does");
  report(event::Stalled{9});
  EXPECT_NE(log_.last("trigger.stalled").find("9 attempts"), std::string::npos);
  report(event::NotBrief{Millis(1'000), false});
  report(event::NotBrief{Millis(8), true});
  const auto lines = log_.lines("trigger.not_brief");
  ASSERT_EQ(lines.size(), 2U);
  EXPECT_EQ(lines[0].level, LogLevel::error) << "nothing is received meanwhile";
  EXPECT_EQ(lines[1].level, LogLevel::warn);
}

TEST_F(DeliveryReporterTest, OfAWorkerProcessWhatHangsIsEnded) {
  config_.isolation = config::Isolation::process;
  report(event::Overrunning{delivery_});
  EXPECT_EQ(log_.last("message.overdue"),
            "p:s has not returned within 3s; its worker process is ended");
}

}  // namespace
}  // namespace triggerd::trigger
