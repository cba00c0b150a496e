// Time in a test stands still until the test moves it, and real time is there where no test is.
#include <gtest/gtest.h>

#include <chrono>
#include <optional>

#include "under_test.hpp"

namespace {

using namespace std::chrono_literals;
using trigger::Context;
using trigger::Message;
using trigger::Verdict;
using under_test::run;

TEST(SdkClock, StandsStillUntilItIsMoved) {
  static std::chrono::system_clock::time_point now;
  static std::chrono::steady_clock::time_point monotonic;
  static std::chrono::system_clock::time_point received;
  auto instance = run([](const Context& context, const Message& message) {
    now = context.now();
    monotonic = context.monotonic();
    received = message.received();
    return Verdict::ok();
  });
  instance.send({});
  const auto first_now = now;
  const auto first_monotonic = monotonic;
  EXPECT_EQ(received, now);
  instance.send({});
  EXPECT_EQ(now, first_now);
  instance.advance(1h + 1ns);
  instance.send({});
  EXPECT_EQ(now - first_now, 1h + 1ns);
  EXPECT_EQ(monotonic - first_monotonic, 1h + 1ns);
  EXPECT_EQ(received, now);
}

TEST(SdkClock, LetsDeadlinesPass) {
  static std::optional<trigger::Completion> kept;
  auto instance = run([](const Context&, const Message& message) {
    kept = message.completion();
    return Verdict::pending();
  });
  trigger::testing::Message message;
  message.timeout = 10s;
  const auto attempt = instance.send(message);
  instance.advance(9s);
  EXPECT_TRUE(attempt.pending());
  EXPECT_TRUE(kept->extend(5s));
  instance.advance(4999ms);
  EXPECT_TRUE(attempt.pending());
  instance.advance(1ms);
  EXPECT_EQ(attempt.code(), TRIGGER_RETRY);
  EXPECT_EQ(attempt.reason(), "its deadline has passed");
  EXPECT_FALSE(kept->complete(Verdict::ok()));
  kept.reset();
}

TEST(SdkClock, IsTheSystemsWhereTheHostHasNone) {
  static std::chrono::system_clock::time_point now;
  static std::chrono::steady_clock::time_point monotonic;
  auto instance = run([](const Context& context, const Message&) {
    now = context.now();
    monotonic = context.monotonic();
    return Verdict::ok();
  });
  instance.offer_extension(TRIGGER_CLOCK, nullptr);
  const auto before = std::chrono::system_clock::now();
  const auto before_monotonic = std::chrono::steady_clock::now();
  instance.send({});
  EXPECT_GE(now, before);
  EXPECT_LE(now, std::chrono::system_clock::now());
  EXPECT_GE(monotonic, before_monotonic);
}

TEST(SdkClock, OtherExtensionsCanBeOffered) {
  static const void* found = nullptr;
  auto instance = run([](const Context& context, const Message&) {
    found = context.extension("test.answer/1");
    return Verdict::ok();
  });
  instance.send({});
  EXPECT_EQ(found, nullptr);
  static constexpr int kAnswer = 42;
  instance.offer_extension("test.answer/1", &kAnswer);
  instance.send({});
  EXPECT_EQ(found, &kAnswer);
  EXPECT_EQ(instance.extension("x/1"), nullptr) << "the service itself has none";
}

}  // namespace
