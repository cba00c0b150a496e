// What the parts come to when they are together; what the dispatcher makes of it is in its tests.
#include "dispatch/dispatch_state.hpp"

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <vector>

#include "support/fake_clock.hpp"
#include "unit/dispatch/messages.hpp"

namespace triggerd::dispatch {
namespace {

class DispatchStateTest : public testing::Test {
 protected:
  DispatchStateTest() {
    options_.concurrency = 2;
    options_.queue_capacity = 10;
    options_.timeout = Millis(3'000);
  }
  DispatchState& state() {
    if (!state_) state_ = std::make_unique<DispatchState>(options_, clock_, random_);
    return *state_;
  }
  // Each in a lane of its own.
  DeliveryPtr accept(const std::string& topic) {
    const DeliveryPtr delivery = test::delivery(topic);
    std::vector<DispatchState::Run> runs(1);
    runs[0].key = topic;
    runs[0].deliveries.push_back(delivery);
    runs[0].count = 1;
    state().accept(std::move(runs), 1, {1, 0, 0}, false, report_);
    return delivery;
  }
  // The topic; empty: none may begin.
  std::string begin() {
    last_ = state().begin_next(report_);
    return last_ == nullptr ? "" : std::string(last_->topic.ptr, last_->topic.len);
  }
  bool answer(std::int32_t code) { return state().take_answer(*last_, {code, 0, {}}, report_); }

  triggerd::test::FakeClock clock_;
  Random random_ = [] { return 1.0; };
  DispatcherOptions options_;
  std::unique_ptr<DispatchState> state_;
  DispatchReport report_;
  const trigger_message* last_ = nullptr;
};

TEST_F(DispatchStateTest, AsManyGoAsThereArePlaces) {
  for (const char* topic : {"a", "b", "c"}) accept(topic);
  EXPECT_EQ(state().calls_that_may_begin(), 2U);
  EXPECT_EQ(begin(), "a");
  EXPECT_EQ(begin(), "b");
  EXPECT_EQ(begin(), "");
  EXPECT_FALSE(state().may_take());
  EXPECT_EQ(report_.timer_at, clock_.now() + Millis(3'000));
}

TEST_F(DispatchStateTest, TheEndOfAMessageOpensTheLanesOfThoseThatWaitedForIt) {
  state().set_keys(
      std::make_shared<inbox::KeyList>(1, inbox::KeyLimits{.window = Millis(1'000), .max = 10}));
  for (const char* topic : {"a", "b", "c"}) {
    accept(topic)->key = std::make_unique<inbox::HandledKey>();
    accept(topic);
  }
  EXPECT_EQ(begin(), "a");
  const trigger_message* const a = last_;
  EXPECT_EQ(begin(), "");
  EXPECT_EQ(state().unfinished(), 6U);
  EXPECT_TRUE(state().take_answer(*a, {TRIGGER_OK, 0, {}}, report_));
  EXPECT_TRUE(report_.wake) << "there is work for more than the one that brought the answer";
  EXPECT_EQ(state().calls_that_may_begin(), 2U);
}

TEST_F(DispatchStateTest, WithBatchesACallIsWorthSeveral) {
  state().set_max_batch(4);
  for (const char* topic : {"a", "b", "c", "d", "e"}) accept(topic);
  EXPECT_EQ(state().calls_that_may_begin(), 2U);
}

TEST_F(DispatchStateTest, ASuspectGoesAlone) {
  accept("a");
  accept("suspect")->crashes.suspect = true;
  accept("b");
  EXPECT_EQ(begin(), "a");
  const trigger_message* const a = last_;
  EXPECT_EQ(begin(), "") << "it waits for its turn, and keeps it";
  EXPECT_TRUE(state().take_answer(*a, {TRIGGER_OK, 0, {}}, report_));
  EXPECT_EQ(begin(), "suspect");
  const trigger_message* const suspect = last_;
  EXPECT_EQ(begin(), "");
  EXPECT_TRUE(state().take_answer(*suspect, {TRIGGER_OK, 0, {}}, report_));
  EXPECT_EQ(begin(), "b");
}

TEST_F(DispatchStateTest, WhatNoServiceIsToSeeEndsOnTheWay) {
  accept("condemned")->crashes.condemned = std::make_unique<const std::string>("ended the runtime");
  accept("expired")->message.expires = clock_.now();
  accept("good");
  EXPECT_EQ(begin(), "good");
  ASSERT_TRUE(report_.others);
  EXPECT_EQ(report_.others->dead_letters.size(), 1U);
  EXPECT_EQ(report_.others->events.size(), 1U);
  EXPECT_EQ(state().unfinished(), 2U) << "the dead letter is not written yet";
}

TEST_F(DispatchStateTest, CompleteBeforeHandleReturnsWaitsForThat) {
  accept("a");
  begin();
  const std::uint64_t token = last_->token;
  EXPECT_EQ(state().complete(token, {TRIGGER_OK, 0, {}}, report_).code, TRIGGER_OK);
  EXPECT_EQ(state().complete(token, {TRIGGER_OK, 0, {}}, report_).code, TRIGGER_E_STALE);
  EXPECT_EQ(report_.finished, nullptr);
  EXPECT_TRUE(answer(TRIGGER_PENDING));
  EXPECT_NE(report_.finished, nullptr);
}

TEST_F(DispatchStateTest, AnExtendedAttemptExpiresLaterAndThenNotAtAll) {
  accept("a");
  begin();
  const std::uint64_t token = last_->token;
  EXPECT_EQ(state().extend(token, 5'000), clock_.now() + Millis(5'000));
  EXPECT_FALSE(state().pass_time(clock_.now() + Millis(4'999), report_));
  EXPECT_TRUE(state().pass_time(clock_.now() + Millis(5'000), report_));
  EXPECT_FALSE(state().extend(token, 5'000)) << "it is over";
  EXPECT_EQ(state().complete(token, {TRIGGER_OK, 0, {}}, report_).code, TRIGGER_E_STALE);
}

TEST_F(DispatchStateTest, EverythingIsCountedOnceWhereverItIs) {
  options_.retry.max_attempts = 5;
  for (const char* topic : {"a", "b", "c"}) accept(topic);
  begin();
  answer(TRIGGER_RETRY);
  begin();
  const DispatcherStats stats = state().stats();
  EXPECT_EQ(stats.received, 3U);
  EXPECT_EQ(stats.queued, 1U);
  EXPECT_EQ(stats.in_flight, 1U);
  EXPECT_EQ(stats.delayed, 1U);
  EXPECT_EQ(state().unfinished(), 3U);
  EXPECT_EQ(state().take_unfinished().size(), 3U);
}

TEST_F(DispatchStateTest, DrainingWhatWaitsForARetryGoesAtOnce) {
  accept("a");
  begin();
  answer(TRIGGER_RETRY);
  EXPECT_EQ(begin(), "");
  EXPECT_FALSE(state().nothing_left_before(Monotonic::max()));
  state().begin_draining();
  EXPECT_EQ(begin(), "a");
  answer(TRIGGER_RETRY);
  state().begin_draining();
  EXPECT_EQ(begin(), "") << "the second time it waits as ever";
  EXPECT_TRUE(state().nothing_left_before(clock_.now()));
}

}  // namespace
}  // namespace triggerd::dispatch
