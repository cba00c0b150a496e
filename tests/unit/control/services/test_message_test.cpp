#include "control/services/test_message.hpp"

#include <gtest/gtest.h>

#include <stop_token>
#include <string>

#include "support/fake_clock.hpp"

namespace triggerd::control {
namespace {

class TestMessageTest : public testing::Test {
 protected:
  // The service is given the message, and answers so.
  void answer(std::int32_t code, const std::string& reason = {}) {
    message_.answered(*message_.take({}), {.code = code, .retry_after_ms = 0, .reason = reason});
  }

  triggerd::test::FakeClock clock_;
  TestMessage message_{"t",
                       "own",
                       {.topic = "x",
                        .payload = "hello",
                        .qos = 2,
                        .retained = true,
                        .user_properties = {{"unit", "celsius"}}},
                       Millis(1'000),
                       clock_};
};

TEST_F(TestMessageTest, TheServiceGetsTheMessageAsItWasGiven) {
  const trigger_message* given = message_.take({});
  ASSERT_NE(given, nullptr);
  EXPECT_EQ(std::string(given->topic.ptr, given->topic.len), "x");
  EXPECT_EQ(std::string(reinterpret_cast<const char*>(given->payload.ptr), given->payload.len),
            "hello");
  EXPECT_EQ(std::string(given->trigger.ptr, given->trigger.len), "t");
  EXPECT_EQ(given->qos, 2U);
  EXPECT_EQ(given->attempt, 1U);
  EXPECT_NE(given->flags & TRIGGER_MESSAGE_RETAIN, 0U);
  ASSERT_EQ(given->property_count, 1U);
  EXPECT_EQ(std::string(given->properties[0].name.ptr, given->properties[0].name.len), "unit");
}

TEST_F(TestMessageTest, ItIsGivenOnce) {
  EXPECT_NE(message_.poll(1).message, nullptr);
  EXPECT_EQ(message_.poll(1).message, nullptr);
  std::stop_source stop;
  stop.request_stop();
  EXPECT_EQ(message_.take(stop.get_token()), nullptr);
}

TEST_F(TestMessageTest, TheVerdictIsTheServices) {
  answer(TRIGGER_REJECT, "it is too hot");
  EXPECT_TRUE(message_.wait(Monotonic{}));
  EXPECT_EQ(message_.result().verdict, "reject");
  EXPECT_EQ(message_.result().reason, "it is too hot");
}

TEST_F(TestMessageTest, ItsTimesAreThoseOfTheClock) {
  using std::chrono::nanoseconds;
  const trigger_message* given = message_.take({});
  EXPECT_EQ(nanoseconds(given->received_unix_ns), clock_.wall().time_since_epoch());
  EXPECT_EQ(nanoseconds(given->deadline_mono_ns),
            (clock_.now() + Millis(1'000)).time_since_epoch());
  clock_.advance(Millis(250));
  message_.answered(*given, {.code = TRIGGER_OK, .retry_after_ms = 0, .reason = {}});
  EXPECT_DOUBLE_EQ(message_.result().seconds, 0.25);
}

TEST_F(TestMessageTest, WhatIsNoVerdictIsSaidToBeNone) {
  answer(4711);
  EXPECT_EQ(message_.result().verdict, "invalid");
  EXPECT_EQ(message_.result().reason, "the service returned 4711, which is not a verdict");
}

TEST_F(TestMessageTest, WithoutAVerdictItTimesOut) {
  EXPECT_FALSE(message_.wait(Monotonic{}));
  EXPECT_EQ(message_.result().verdict, "timeout");
}

TEST_F(TestMessageTest, APendingMessageIsCompletedLaterAndOnce) {
  answer(TRIGGER_PENDING);
  EXPECT_FALSE(message_.wait(Monotonic{}));
  EXPECT_EQ(message_.complete(2, {.code = TRIGGER_OK}), TRIGGER_E_STALE) << "it is of no message";
  EXPECT_EQ(message_.complete(1, {.code = TRIGGER_OK}), TRIGGER_OK);
  EXPECT_EQ(message_.complete(1, {.code = TRIGGER_RETRY}), TRIGGER_E_STALE);
  EXPECT_EQ(message_.result().verdict, "ok");
}

TEST_F(TestMessageTest, AWorkerProcessThatCrashesIsARetry) {
  message_.lost({.why = plugin::WorkSource::Loss::Why::crashed, .reason = "it crashed"});
  EXPECT_EQ(message_.result().verdict, "retry");
  EXPECT_EQ(message_.result().reason, "it crashed");
}

TEST_F(TestMessageTest, WhatTheServicePublishesIsKeptAndGoesNowhere) {
  trigger_publish request{};
  const std::string topic = "alarm";
  request.topic = {topic.data(), topic.size()};
  request.qos = 1;
  std::int32_t told = -1;
  EXPECT_EQ(message_.publish(request, [&](std::int32_t code, const auto&) { told = code; }),
            TRIGGER_OK);
  EXPECT_EQ(told, TRIGGER_OK);
  const auto published = message_.result().published;
  ASSERT_EQ(published.size(), 1U);
  EXPECT_EQ(published[0].topic, "alarm");
  EXPECT_EQ(published[0].alias, "own") << "the trigger's own, as it names none";
}

TEST_F(TestMessageTest, WhatTheServiceLogsIsKeptInOrderAndWithABound) {
  EXPECT_TRUE(message_.log.enabled(LogLevel::debug));
  message_.log.write(LogLevel::warn, "", {}, "it is hot");
  for (int i = 0; i < 2'000; ++i) message_.log.write(LogLevel::info, "", {}, "on and on");
  const auto lines = message_.log.take();
  ASSERT_EQ(lines.size(), 1'000U);
  EXPECT_EQ(lines[0].level, to_string(LogLevel::warn));
  EXPECT_EQ(lines[0].text, "it is hot");
  EXPECT_TRUE(message_.log.take().empty());
}

TEST_F(TestMessageTest, AWorkerProcessIsWokenForItAtOnce) {
  bool woken = false;
  message_.listen([&] { woken = true; });
  EXPECT_TRUE(woken);
  message_.listen({});
}

TEST_F(TestMessageTest, MoreTimeIsGivenForThisMessageAlone) {
  const std::uint64_t token = message_.take({})->token;
  EXPECT_EQ(message_.extend(token, 1'000), TRIGGER_OK);
  EXPECT_EQ(message_.extend(token + 1, 1'000), TRIGGER_E_STALE);
}

}  // namespace
}  // namespace triggerd::control
