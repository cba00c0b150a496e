// What the dispatcher counts: what was received is the sum of what became of it and what is inside.
#include <gtest/gtest.h>

#include <functional>
#include <string>

#include "unit/dispatch/dispatcher_fixture.hpp"

namespace triggerd::dispatch {
namespace {

using test::message;

class DispatcherCountsTest : public DispatcherTest {
 protected:
  // Every message that came is in exactly one place.
  void expect_sum() {
    const auto stats = dispatcher().stats();
    EXPECT_EQ(stats.received, stats.ok + stats.filtered + stats.duplicates + stats.rejected +
                                  stats.exhausted + stats.discarded + stats.expired + stats.queued +
                                  stats.in_flight + stats.delayed + stats.waiting_for_delay);
  }
  // So many messages, each of its own lane, and what the service says of each attempt.
  void handle(int messages, const std::function<std::int32_t(int)>& verdict) {
    for (int i = 0; i < messages; ++i) accept(std::to_string(i));
    expect_sum();
    for (int attempt = 0; !nothing_inside() && attempt < 1'000; ++attempt) {
      const trigger_message* const taken = dispatcher().try_take();
      expect_sum();
      if (taken != nullptr) {
        answer(*taken, verdict(std::stoi(topic(*taken))));
      } else {
        advance(Millis(500));
      }
      expect_sum();
    }
  }
  bool nothing_inside() {
    const auto stats = dispatcher().stats();
    return stats.queued + stats.in_flight + stats.delayed == 0;
  }
};

TEST_F(DispatcherCountsTest, ALastAttemptThatFailsIsCounted) {
  options_.retry.max_attempts = 1;
  handle(3, [](int) { return TRIGGER_RETRY; });
  const auto stats = dispatcher().stats();
  EXPECT_EQ(stats.received, 3U);
  EXPECT_EQ(stats.exhausted, 3U);
  EXPECT_EQ(stats.retried, 0U);
}

TEST_F(DispatcherCountsTest, MessagesOfAllOutcomesSumUp) {
  handle(12, [](int i) {
    constexpr std::int32_t kVerdicts[] = {TRIGGER_OK, TRIGGER_REJECT, TRIGGER_RETRY, 77};
    return kVerdicts[i % 4];
  });
  const auto stats = dispatcher().stats();
  EXPECT_EQ(stats.received, 12U);
  EXPECT_EQ(stats.ok, 3U);
  EXPECT_EQ(stats.rejected, 3U);
  EXPECT_EQ(stats.exhausted, 6U);
  EXPECT_EQ(stats.retried, 12U) << "two of the three attempts of each";
  EXPECT_EQ(stats.invalid_verdicts, 9U);
}

TEST_F(DispatcherCountsTest, DiscardedAndExpiredMessagesSumUp) {
  options_.on_exhausted = config::OnExhausted::discard;
  options_.retry.max_attempts = 2;
  mqtt::Message old = message("0");
  old.expires = clock_.now();
  dispatcher().accept({test::delivery(std::move(old))});
  handle(3, [](int) { return TRIGGER_RETRY; });
  const auto stats = dispatcher().stats();
  EXPECT_EQ(stats.received, 4U);
  EXPECT_EQ(stats.expired, 1U);
  EXPECT_EQ(stats.discarded, 3U);
  EXPECT_EQ(stats.retried, 3U);
}

// A dead letter that cannot be written is still inside.
TEST_F(DispatcherCountsTest, ADeadLetterThatCannotBeWrittenIsNotCountedTwice) {
  sink_.can_write = false;
  accept("0");
  answer(take(), TRIGGER_REJECT);
  expect_sum();
  EXPECT_EQ(dispatcher().stats().rejected, 0U);
  EXPECT_EQ(dispatcher().stats().delayed, 1U);
  sink_.can_write = true;
  advance(Millis(1'000));
  expect_sum();
  EXPECT_EQ(dispatcher().stats().rejected, 1U);
}

TEST_F(DispatcherCountsTest, FailuresThatSuspendAreCounted) {
  options_.on_exhausted = config::OnExhausted::suspend;
  options_.retry.max_attempts = 1;
  accept("0");
  answer(take(), TRIGGER_RETRY);
  expect_sum();
  EXPECT_EQ(dispatcher().stats().retried, 1U);
  dispatcher().begin_half_open();
  answer(take(), TRIGGER_RETRY);
  expect_sum();
  EXPECT_EQ(dispatcher().stats().retried, 2U);
}

}  // namespace
}  // namespace triggerd::dispatch
