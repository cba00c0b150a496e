// Several messages in one call of the service: what goes together, and that the verdict of one is
// no matter of the others.
#include <gtest/gtest.h>

#include "unit/dispatch/dispatcher_fixture.hpp"

namespace triggerd::dispatch {
namespace {

using Batch = std::vector<const trigger_message*>;

class DispatcherBatchTest : public DispatcherTest {
 protected:
  DispatcherBatchTest() { options_.queue_capacity = 100; }
  void max_batch(std::size_t messages) { dispatcher().set_max_batch(messages); }
  // As a worker does it.
  Batch take_batch() {
    Batch batch;
    if (const trigger_message* first = dispatcher().try_take()) {
      batch.push_back(first);
      dispatcher().take_more(batch);
    }
    return batch;
  }
  static Told topics(const Batch& batch) {
    Told found;
    for (const trigger_message* one : batch) found.push_back(topic(*one));
    return found;
  }
  void answer_all(const Batch& batch, const std::vector<std::int32_t>& codes) {
    std::vector<plugin::Answer> answers;
    for (const std::int32_t code : codes) answers.push_back({code, 0, "why"});
    dispatcher().batch_answered(batch, std::move(answers));
  }
};

TEST_F(DispatcherBatchTest, MessagesOfDifferentLanesGoTogether) {
  max_batch(10);
  for (const char* t : {"a", "b", "a", "c"}) accept(t);
  const Batch batch = take_batch();
  EXPECT_EQ(topics(batch), (Told{"a", "b", "c"})) << "the second of a waits for the first";
  EXPECT_TRUE(nothing_to_take());
  answer_all(batch, {TRIGGER_OK, TRIGGER_OK, TRIGGER_OK});
  EXPECT_EQ(sink_.told, (Told{"finished a", "finished b", "finished c"}));
  EXPECT_EQ(topics(take_batch()), Told{"a"});
}

TEST_F(DispatcherBatchTest, WithoutOrderAllGoTogetherInTheOrderOfTheirArrival) {
  options_.order.by = config::Order::By::none;
  max_batch(10);
  for (const char* t : {"a", "a", "b"}) accept(t);
  EXPECT_EQ(topics(take_batch()), (Told{"a", "a", "b"}));
}

TEST_F(DispatcherBatchTest, InTheOrderOfTheTriggerEachGoesAlone) {
  options_.order.by = config::Order::By::trigger;
  max_batch(10);
  for (const char* t : {"a", "b"}) accept(t);
  EXPECT_EQ(topics(take_batch()), Told{"a"});
}

TEST_F(DispatcherBatchTest, ABatchHasItsMostAndEachCallItsOwnPlaces) {
  options_.order.by = config::Order::By::none;
  options_.concurrency = 2;
  max_batch(2);
  for (const char* t : {"1", "2", "3", "4", "5"}) accept(t);
  const Batch first = take_batch();
  EXPECT_EQ(topics(first), (Told{"1", "2"}));
  EXPECT_EQ(topics(take_batch()), (Told{"3", "4"}));
  EXPECT_TRUE(take_batch().empty()) << "two calls";
  answer_all(first, {TRIGGER_OK, TRIGGER_OK});
  EXPECT_EQ(topics(take_batch()), Told{"5"});
}

TEST_F(DispatcherBatchTest, EachVerdictIsItsMessagesOwn) {
  max_batch(10);
  for (const char* t : {"ok", "retry", "reject", "pending", "nonsense"}) accept(t);
  const Batch batch = take_batch();
  ASSERT_EQ(batch.size(), 5U);
  const std::uint64_t token = batch[3]->token;
  answer_all(batch, {TRIGGER_OK, TRIGGER_RETRY, TRIGGER_REJECT, TRIGGER_PENDING, 99});
  EXPECT_EQ(sink_.told,
            (Told{"finished ok", "retry retry 1 100 why",
                  "retry nonsense 1 100 the service returned 99, which is not a verdict",
                  "dead letter reject why"}));
  EXPECT_EQ(dispatcher().complete(token, {TRIGGER_OK, 0, ""}), TRIGGER_OK);
  EXPECT_EQ(sink_.told.back(), "finished pending");
  advance(Millis(100));
  const Batch again = take_batch();
  ASSERT_EQ(again.size(), 2U);
  EXPECT_EQ(again[0]->attempt, 2U);
}

TEST_F(DispatcherBatchTest, ARetryHoldsItsLaneAndGoesBeforeTheNext) {
  max_batch(10);
  accept("a");
  accept("b");
  const Batch batch = take_batch();
  accept("a");
  answer_all(batch, {TRIGGER_RETRY, TRIGGER_OK});
  EXPECT_TRUE(take_batch().empty());
  advance(Millis(100));
  const Batch again = take_batch();
  ASSERT_EQ(topics(again), Told{"a"});
  EXPECT_EQ(again[0]->attempt, 2U);
}

TEST_F(DispatcherBatchTest, ACallThatOverrunsTimesOutEveryMessageOfIt) {
  max_batch(10);
  accept("a");
  accept("b");
  const Batch batch = take_batch();
  advance(Millis(1'000));
  EXPECT_EQ(sink_.told, (Told{"overrunning a", "overrunning b"}));
  answer_all(batch, {TRIGGER_OK, TRIGGER_PENDING});
  EXPECT_EQ(dispatcher().stats().timed_out, 2U);
  EXPECT_EQ(dispatcher().stats().expired_pending, 1U) << "the pending one may still be read";
  advance(Millis(100));
  EXPECT_EQ(take_batch().size(), 2U);
}

TEST_F(DispatcherBatchTest, CompletedBeforeTheCallHasReturnedCounts) {
  max_batch(10);
  accept("a");
  accept("b");
  const Batch batch = take_batch();
  EXPECT_EQ(dispatcher().complete(batch[0]->token, {TRIGGER_REJECT, 0, "early"}), TRIGGER_OK);
  answer_all(batch, {TRIGGER_PENDING, TRIGGER_OK});
  EXPECT_EQ(sink_.told, (Told{"finished b", "dead letter a early"}));
}

TEST_F(DispatcherBatchTest, QuiescedNothingIsAdded) {
  max_batch(10);
  accept("a");
  accept("b");
  Batch batch{&take()};
  EXPECT_FALSE(dispatcher().quiesce(clock_.now()));
  dispatcher().take_more(batch);
  EXPECT_EQ(topics(batch), Told{"a"});
  answer_all(batch, {TRIGGER_OK});
  EXPECT_TRUE(dispatcher().quiesce(clock_.now()));
  dispatcher().unquiesce();
  EXPECT_EQ(topics(take_batch()), Told{"b"});
}

TEST_F(DispatcherBatchTest, AHalfOpenAttemptIsOfOneMessage) {
  options_.on_exhausted = config::OnExhausted::suspend;
  options_.retry.max_attempts = 1;
  max_batch(10);
  accept("a");
  accept("b");
  answer_all(take_batch(), {TRIGGER_RETRY, TRIGGER_RETRY});
  EXPECT_TRUE(take_batch().empty()) << "suspended";
  dispatcher().begin_half_open();
  EXPECT_EQ(take_batch().size(), 1U);
}

TEST_F(DispatcherBatchTest, AllOfACallThatDoesNotReturnIsUnfinished) {
  max_batch(10);
  for (const char* t : {"a", "b", "a"}) accept(t);
  EXPECT_EQ(take_batch().size(), 2U);
  EXPECT_FALSE(dispatcher().drain(clock_.now()));
  EXPECT_EQ(dispatcher().take_unfinished().size(), 3U);
}

TEST_F(DispatcherBatchTest, WhatHasExpiredIsNotInIt) {
  max_batch(10);
  accept("a");
  mqtt::Message old = test::message("b");
  old.expires = clock_.now();
  dispatcher().accept({test::delivery(std::move(old))});
  accept("c");
  EXPECT_EQ(topics(take_batch()), (Told{"a", "c"}));
  EXPECT_EQ(sink_.told, Told{"expired b"});
}

}  // namespace
}  // namespace triggerd::dispatch
