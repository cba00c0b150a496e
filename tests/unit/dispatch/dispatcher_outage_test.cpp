// The dispatcher while what the service needs is away.
#include "unit/dispatch/dispatcher_fixture.hpp"

namespace triggerd::dispatch {
namespace {

class DispatcherOutageTest : public DispatcherTest {
 protected:
  void away(const trigger_message& taken, std::uint32_t retry_after = 0) {
    answer(taken, TRIGGER_UNAVAILABLE, retry_after, "down");
  }
  std::vector<std::string> taken_now() {
    std::vector<std::string> topics;
    while (const trigger_message* next = dispatcher().try_take()) topics.push_back(topic(*next));
    return topics;
  }
};

TEST_F(DispatcherOutageTest, UsesUpNoAttempts) {
  accept("a");
  for (int i = 0; i < 20; ++i) {
    const trigger_message& taken = take();
    EXPECT_EQ(taken.attempt, 1U);
    away(taken);
    EXPECT_TRUE(nothing_to_take());
    advance(Millis(1'000));
  }
  EXPECT_EQ(dispatcher().stats().unavailable, 20U);
  EXPECT_EQ(dispatcher().stats().retried, 0U);
  const trigger_message& failed = take();
  EXPECT_EQ(failed.attempt, 1U);
  answer(failed, TRIGGER_RETRY, 0, "no boiler");
  EXPECT_EQ(sink_.told.back(), "retry a 1 100 no boiler");
}

TEST_F(DispatcherOutageTest, WaitsLongerEachTimeAndSaysSo) {
  options_.retry.backoff = {Millis(100), Millis(300'000), 10.0};
  accept("a");
  for (const auto& [wait, told] :
       std::vector<std::pair<int, std::string>>{{100, "unavailable 1 100 down"},
                                                {1'000, "unavailable 2 1000 down"},
                                                {10'000, "unavailable 3 10000 down"},
                                                {30'000, "unavailable 4 30000 down"},
                                                {30'000, "unavailable 5 30000 down"}}) {
    away(take());
    EXPECT_EQ(sink_.told.back(), told);
    ASSERT_TRUE(dispatcher().outage());
    EXPECT_EQ(dispatcher().outage()->reason, "down");
    advance(Millis(wait - 1));
    EXPECT_TRUE(nothing_to_take());
    advance(Millis(1));
  }
  answer(take(), TRIGGER_OK);
  EXPECT_EQ(sink_.told.back(), "available 5 71100");
  EXPECT_FALSE(dispatcher().outage());
}

TEST_F(DispatcherOutageTest, AnIntervalThatIsLongerIsKept) {
  options_.retry.backoff = {Millis(60'000), Millis(300'000), 2.0};
  accept("a");
  away(take());
  EXPECT_EQ(sink_.told.back(), "unavailable 1 60000 down");
}

TEST_F(DispatcherOutageTest, WaitsAsLongAsTheServiceSays) {
  accept("a");
  away(take(), 5'000);
  advance(Millis(4'999));
  EXPECT_TRUE(nothing_to_take());
  advance(Millis(1));
  take();
}

TEST_F(DispatcherOutageTest, OneIsTriedThenAllGo) {
  options_.concurrency = 3;
  for (const char* t : {"a", "b", "c", "d"}) accept(t);
  const trigger_message& a = take();
  const trigger_message& b = take();
  const trigger_message& c = take();
  away(b);
  EXPECT_TRUE(nothing_to_take()) << "the others may still be on their way, and no more";
  away(a);
  answer(c, TRIGGER_OK);
  EXPECT_TRUE(nothing_to_take()) << "it had gone out before";
  advance(Millis(100));
  const trigger_message& tried = take();
  EXPECT_TRUE(nothing_to_take());
  away(tried);
  advance(Millis(200));
  const trigger_message& again = take();
  EXPECT_TRUE(nothing_to_take());
  answer(again, TRIGGER_OK);
  EXPECT_EQ(taken_now().size(), 2U);
}

TEST_F(DispatcherOutageTest, TheOrderOfALaneIsKept) {
  options_.order.by = config::Order::By::trigger;
  for (const char* t : {"1", "2", "3"}) accept(t);
  away(take());
  advance(Millis(100));
  for (const char* expected : {"1", "2", "3"}) {
    const trigger_message& taken = take();
    EXPECT_EQ(topic(taken), expected);
    answer(taken, TRIGGER_OK);
  }
}

TEST_F(DispatcherOutageTest, AFailureOfTheMessageOpensTheWayToo) {
  accept("a");
  accept("b");
  away(take());
  advance(Millis(100));
  answer(take(), TRIGGER_RETRY, 0, "no boiler");
  EXPECT_FALSE(dispatcher().outage());
  EXPECT_EQ(topic(take()), "b");
}

// It may have been rejected without a look at what is away.
TEST_F(DispatcherOutageTest, AfterARejectedMessageTheNextOneIsTried) {
  options_.concurrency = 3;
  for (const char* t : {"a", "b", "c"}) accept(t);
  away(take());
  advance(Millis(100));
  answer(take(), TRIGGER_REJECT, 0, "no topic");
  EXPECT_TRUE(dispatcher().outage());
  const trigger_message& next = take();
  EXPECT_TRUE(nothing_to_take());
  away(next);
  EXPECT_EQ(sink_.told.back(), "unavailable 2 200 down");
}

TEST_F(DispatcherOutageTest, ATryWithoutAVerdictIsAnAttemptAndLeavesTheWayClosed) {
  accept("a");
  accept("b");
  away(take());
  advance(Millis(100));
  answer(take(), TRIGGER_PENDING);
  advance(Millis(1'000));
  EXPECT_EQ(
      std::count(sink_.told.begin(), sink_.told.end(), "unavailable 2 200 no verdict within 1s"),
      1);
  EXPECT_EQ(std::count(sink_.told.begin(), sink_.told.end(), "retry a 1 100 no verdict within 1s"),
            1);
  advance(Millis(100));
  EXPECT_TRUE(nothing_to_take());
  advance(Millis(100));
  take();
}

TEST_F(DispatcherOutageTest, ATryThatDoesNotReturnLeavesTheNextOneToOthers) {
  options_.concurrency = 2;
  accept("a");
  accept("b");
  away(take());
  advance(Millis(100));
  const trigger_message& hangs = take();
  EXPECT_EQ(topic(hangs), "a");
  advance(Millis(1'000));
  EXPECT_EQ(
      std::count(sink_.told.begin(), sink_.told.end(), "unavailable 2 200 no verdict within 1s"),
      1);
  EXPECT_TRUE(nothing_to_take());
  advance(Millis(200));
  const trigger_message& tried = take();
  EXPECT_EQ(topic(tried), "b");
  answer(tried, TRIGGER_OK);
  EXPECT_FALSE(dispatcher().outage());
  answer(hangs, TRIGGER_OK);
  EXPECT_EQ(sink_.told.back(), "retry a 1 100 no verdict within 1s");
  EXPECT_FALSE(dispatcher().outage()) << "it has been there since";
}

TEST_F(DispatcherOutageTest, PendingMessagesSayItWithComplete) {
  accept("a");
  const trigger_message& taken = take();
  const std::uint64_t token = taken.token;
  answer(taken, TRIGGER_PENDING);
  EXPECT_EQ(dispatcher().complete(token, {TRIGGER_UNAVAILABLE, 0, "cut off"}), TRIGGER_OK);
  EXPECT_EQ(sink_.told.back(), "unavailable 1 100 cut off");
  advance(Millis(100));
  EXPECT_EQ(take().attempt, 1U);
}

TEST_F(DispatcherOutageTest, WhatComesBackForAMomentOnlyIsNotTriedAllTheTime) {
  for (int i = 0; i < 3; ++i) accept(fmt::format("t{}", i));
  away(take());
  advance(Millis(100));
  away(take());
  advance(Millis(200));
  answer(take(), TRIGGER_OK);
  away(take());
  EXPECT_EQ(sink_.told.back(), "unavailable 3 400 down");
  advance(Millis(400));
  answer(take(), TRIGGER_OK);
  advance(Millis(400));
  away(take());
  EXPECT_EQ(sink_.told.back(), "unavailable 1 100 down") << "it had been there for a while";
}

TEST_F(DispatcherOutageTest, WhatMayBeThereAgainIsTriedAtOnce) {
  accept("a");
  dispatcher().try_now();
  away(take(), 500'000);
  dispatcher().try_now();
  const trigger_message& tried = take();
  dispatcher().try_now();  // while one is under way that began before
  away(tried, 500'000);
  away(take(), 500'000);
  EXPECT_TRUE(nothing_to_take());
}

TEST_F(DispatcherOutageTest, AnotherBuildIsGivenAMessageAtOnce) {
  accept("a");
  away(take(), 500'000);
  EXPECT_TRUE(dispatcher().quiesce(clock_.now()));
  dispatcher().unquiesce();
  take();
}

TEST_F(DispatcherOutageTest, NeverExhausts) {
  options_.on_exhausted = config::OnExhausted::suspend;
  options_.retry.max_attempts = 1;
  accept("a");
  away(take());
  advance(Millis(100));
  away(take());
  EXPECT_EQ(std::count(sink_.told.begin(), sink_.told.end(), "suspended a"), 0);
}

TEST_F(DispatcherOutageTest, InAHalfOpenAttemptItIsAFailure) {
  accept("a");
  dispatcher().hold();
  dispatcher().begin_half_open();
  away(take());
  EXPECT_EQ(sink_.told.back(), "half-open failed");
  EXPECT_FALSE(dispatcher().outage()) << "its monitor looks after it";
  dispatcher().resume();
  EXPECT_EQ(take().attempt, 1U);
}

TEST_F(DispatcherOutageTest, ResumingEndsTheWait) {
  accept("a");
  away(take(), 500'000);
  dispatcher().hold();
  EXPECT_FALSE(dispatcher().outage());
  dispatcher().resume();
  take();
}

TEST_F(DispatcherOutageTest, AStopTriesOnceAndDoesNotWait) {
  accept("a");
  accept("b");
  away(take(), 500'000);
  const Monotonic deadline = clock_.now() + Millis(1'000'000'000);
  EXPECT_FALSE(dispatcher().drain(deadline, clock_.now()));
  away(take());
  EXPECT_TRUE(nothing_to_take());
  EXPECT_TRUE(dispatcher().drain(deadline, clock_.now()));
  EXPECT_EQ(dispatcher().take_unfinished().size(), 2U);
}

TEST_F(DispatcherOutageTest, AStopWorksOffEverythingWhereItIsThereAgain) {
  accept("a");
  accept("b");
  away(take(), 500'000);
  const Monotonic deadline = clock_.now() + Millis(1'000'000'000);
  EXPECT_FALSE(dispatcher().drain(deadline, clock_.now()));
  answer(take(), TRIGGER_OK);
  answer(take(), TRIGGER_OK);
  EXPECT_TRUE(dispatcher().drain(deadline, clock_.now()));
}

// A stop gives a message that waits one more chance, and not all of its attempts.
TEST_F(DispatcherOutageTest, AStopUsesUpOneAttempt) {
  accept("a");
  answer(take(), TRIGGER_RETRY, 500'000);
  const Monotonic deadline = clock_.now() + Millis(1'000);
  EXPECT_FALSE(dispatcher().drain(deadline, clock_.now()));
  answer(take(), TRIGGER_RETRY, 500'000);
  EXPECT_TRUE(dispatcher().drain(deadline, clock_.now()));
  EXPECT_TRUE(nothing_to_take());
}

TEST_F(DispatcherOutageTest, WhenTheOneThatIsTriedIsTakenBackAnotherIs) {
  accept("a");
  away(take());
  advance(Millis(100));
  answer(take(), TRIGGER_PENDING);
  dispatcher().revoke_pending();
  dispatcher().end_expired_pending();
  advance(Millis(0));
  EXPECT_EQ(take().attempt, 1U);
}

TEST_F(DispatcherOutageTest, AWorkerThatEndsWithTheOneThatIsTriedLeavesItToTheNext) {
  options_.concurrency = 3;
  for (const char* t : {"a", "b", "c"}) accept(t);
  away(take());
  advance(Millis(100));
  ASSERT_NE(dispatcher().poll(0).message, nullptr);
  dispatcher().lost({.why = plugin::WorkSource::Loss::Why::crashed, .reason = "SIGSEGV"});
  EXPECT_TRUE(dispatcher().outage());
  ASSERT_NE(dispatcher().poll(0).message, nullptr);
  EXPECT_EQ(dispatcher().poll(0).message, nullptr) << "one at a time";
  dispatcher().lost({.why = plugin::WorkSource::Loss::Why::not_begun});
  ASSERT_NE(dispatcher().poll(0).message, nullptr);
}

TEST_F(DispatcherOutageTest, NothingIsHandedAheadOfATry) {
  options_.order.by = config::Order::By::trigger;
  accept("a");
  accept("b");
  away(take());
  advance(Millis(100));
  ASSERT_NE(dispatcher().poll(2).message, nullptr);
  EXPECT_EQ(dispatcher().poll(2).message, nullptr);
}

TEST_F(DispatcherOutageTest, ABatchTriesOneMessage) {
  options_.order.by = config::Order::By::none;
  dispatcher().set_max_batch(256);
  for (const char* t : {"a", "b", "c"}) accept(t);
  std::vector<const trigger_message*> batch{&take()};
  dispatcher().take_more(batch);
  ASSERT_EQ(batch.size(), 3U);
  dispatcher().batch_answered(batch,
                              std::vector<plugin::Answer>(3, {TRIGGER_UNAVAILABLE, 0, "down"}));
  EXPECT_EQ(dispatcher().stats().queued, 3U);
  advance(Millis(100));
  batch = {&take()};
  dispatcher().take_more(batch);
  EXPECT_EQ(batch.size(), 1U);
}

// ---- What the inbox counts ----

// A process that is killed leaves what the row says.
TEST_F(DispatcherOutageTest, AnAttemptThatIsUnderWayIsNotWritten) {
  const DeliveryHome home{.trigger = "t", .client_id = "c"};
  auto delivery = std::make_shared<Delivery>(home, mqtt::Message{}, "id");
  dispatcher().accept({delivery});
  const trigger_message& first = take();
  EXPECT_EQ(first.attempt, 1U);
  EXPECT_EQ(delivery->view().attempts, 0U);
  answer(first, TRIGGER_RETRY);
  EXPECT_EQ(delivery->view().attempts, 1U);
  advance(Millis(100));
  const trigger_message& second = take();
  EXPECT_EQ(delivery->view().attempts, 1U);
  away(second);
  EXPECT_EQ(delivery->view().attempts, 1U);
  advance(Millis(200));
  take();
  advance(Millis(1'000));
  EXPECT_EQ(delivery->view().attempts, 2U) << "past its deadline, though it has not returned";
}

}  // namespace
}  // namespace triggerd::dispatch
