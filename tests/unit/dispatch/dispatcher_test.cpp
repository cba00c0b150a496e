#include <gtest/gtest.h>

#include "unit/dispatch/dispatcher_fixture.hpp"

namespace triggerd::dispatch {
namespace {

using test::message;

TEST_F(DispatcherTest, HandsAMessageOutAsItCame) {
  mqtt::Message m = message("plant/1", std::string("a\0b", 3));
  m.qos = 2;
  m.retained = true;
  m.dup = true;
  m.received = Wall(Millis(5));
  dispatcher().accept({test::delivery(std::move(m))});
  const trigger_message& taken = take();
  EXPECT_EQ(taken.struct_size, sizeof(trigger_message));
  EXPECT_EQ(topic(taken), "plant/1");
  EXPECT_EQ(taken.topic.ptr[taken.topic.len], '\0');
  EXPECT_EQ(std::string(reinterpret_cast<const char*>(taken.payload.ptr), taken.payload.len),
            std::string("a\0b", 3));
  EXPECT_EQ(taken.qos, 2U);
  EXPECT_EQ(taken.flags, TRIGGER_MESSAGE_RETAIN | TRIGGER_MESSAGE_DUP);
  EXPECT_EQ(taken.attempt, 1U);
  EXPECT_EQ(taken.received_unix_ns, 5'000'000);
  EXPECT_EQ(taken.deadline_mono_ns, 2'000'000'000U);  // the clock began at 1 s
  EXPECT_GT(taken.id.len, 0U);
  EXPECT_LT(taken.id.len, 64U);
}

TEST_F(DispatcherTest, OkFinishes) {
  accept("a");
  answer(take(), TRIGGER_OK);
  EXPECT_EQ(sink_.told, Told{"finished a"});
  EXPECT_EQ(dispatcher().stats().ok, 1U);
  EXPECT_TRUE(nothing_to_take());
}

TEST_F(DispatcherTest, ConcurrencyBoundsWhatIsInFlight) {
  options_.concurrency = 2;
  for (const char* t : {"a", "b", "c"}) accept(t);
  const trigger_message& first = take();
  take();
  EXPECT_TRUE(nothing_to_take());
  answer(first, TRIGGER_OK);
  EXPECT_EQ(topic(take()), "c");
}

TEST_F(DispatcherTest, OneKeyNeverOverlaps) {
  options_.concurrency = 8;
  accept("a");
  accept("a");
  const trigger_message& first = take();
  EXPECT_TRUE(nothing_to_take());
  answer(first, TRIGGER_OK);
  take();
}

TEST_F(DispatcherTest, RetriesWithBackoffAndThenMakesADeadLetter) {
  accept("a");
  answer(take(), TRIGGER_RETRY, 0, "down");
  advance(Millis(99));
  EXPECT_TRUE(nothing_to_take());
  advance(Millis(1));
  const trigger_message& second = take();
  EXPECT_EQ(second.attempt, 2U);
  answer(second, TRIGGER_RETRY, 0, "down");
  advance(Millis(200));
  answer(take(), TRIGGER_RETRY, 0, "down");
  EXPECT_EQ(sink_.told, (Told{"retry a 1 100 down", "retry a 2 200 down",
                              "dead letter a out of attempts (3): down"}));
  EXPECT_EQ(dispatcher().stats().retried, 2U);
}

TEST_F(DispatcherTest, TheIdStaysTheTokenChanges) {
  accept("a");
  const trigger_message& first = take();
  const std::string id(first.id.ptr, first.id.len);
  const std::uint64_t token = first.token;
  answer(first, TRIGGER_RETRY);
  advance(Millis(100));
  const trigger_message& second = take();
  EXPECT_EQ(std::string(second.id.ptr, second.id.len), id);
  EXPECT_NE(second.token, token);
}

TEST_F(DispatcherTest, RetryAfterWinsOverTheBackoff) {
  accept("a");
  answer(take(), TRIGGER_RETRY, 5'000);
  advance(Millis(4'999));
  EXPECT_TRUE(nothing_to_take());
  advance(Millis(1));
  take();
}

TEST_F(DispatcherTest, AWaitingRetryHoldsItsKeyAndNothingElse) {
  accept("a");
  answer(take(), TRIGGER_RETRY);
  accept("a");
  accept("b");
  EXPECT_EQ(topic(take()), "b");
  EXPECT_TRUE(nothing_to_take());
}

TEST_F(DispatcherTest, RejectMakesADeadLetterAtOnceWithItsReason) {
  accept("a");
  answer(take(), TRIGGER_REJECT, 0, "not a number");
  accept("a");
  answer(take(), TRIGGER_REJECT);
  EXPECT_EQ(sink_.told,
            (Told{"dead letter a not a number", "dead letter a rejected without a reason"}));
}

TEST_F(DispatcherTest, NonsenseCountsAsRetry) {
  for (const std::int32_t nonsense : {5, 17, -1, -100}) {
    accept("a");
    answer(take(), nonsense, 123'456);
    EXPECT_EQ(
        sink_.told.back(),
        fmt::format("retry a 1 100 the service returned {}, which is not a verdict", nonsense));
    sink_.told.clear();
    dispatcher_.reset();
  }
}

TEST_F(DispatcherTest, DiscardIsForThoseWhoChoseIt) {
  options_.on_exhausted = config::OnExhausted::discard;
  options_.retry.max_attempts = 1;
  accept("a");
  accept("a");
  answer(take(), TRIGGER_RETRY);
  EXPECT_EQ(sink_.told, Told{"discarded a out of attempts (1): the service gave no reason"});
  take();
}

TEST_F(DispatcherTest, SuspendKeepsTheMessageFirstInItsLaneWithFreshAttempts) {
  options_.on_exhausted = config::OnExhausted::suspend;
  options_.retry.max_attempts = 2;
  const DeliveryPtr first = test::delivery("a");
  dispatcher().accept({first});
  accept("b");
  answer(take(), TRIGGER_RETRY, 1);
  advance(Millis(1));
  EXPECT_EQ(first->failed, 1U);
  answer(take(), TRIGGER_RETRY);
  EXPECT_EQ(sink_.told.back(), "suspended a");
  EXPECT_EQ(first->failed, 0U) << "which the inbox is to count";
  EXPECT_TRUE(nothing_to_take());
  EXPECT_EQ(dispatcher().stats().queued, 2U);
  dispatcher().resume();
  const trigger_message& again = take();
  EXPECT_EQ(topic(again), "a");
  EXPECT_EQ(again.attempt, 1U);
}

TEST_F(DispatcherTest, ADeadLetterThatCannotBeWrittenIsTriedAgainAndHoldsItsKey) {
  sink_.can_write = false;
  accept("a");
  accept("a");
  answer(take(), TRIGGER_REJECT, 0, "bad");
  EXPECT_EQ(sink_.told, Told{"not written a bad"});
  EXPECT_TRUE(nothing_to_take());
  sink_.can_write = true;
  advance(Millis(1'000));
  EXPECT_EQ(sink_.told.back(), "dead letter a bad");
  take();
}

// ---- pending ----

TEST_F(DispatcherTest, PendingIsFinishedByComplete) {
  accept("a");
  const trigger_message& taken = take();
  const std::uint64_t token = taken.token;
  answer(taken, TRIGGER_PENDING);
  EXPECT_TRUE(sink_.told.empty());
  EXPECT_EQ(dispatcher().complete(token, {TRIGGER_OK, 0, ""}), TRIGGER_OK);
  EXPECT_EQ(sink_.told, Told{"finished a"});
  EXPECT_EQ(dispatcher().complete(token, {TRIGGER_OK, 0, ""}), TRIGGER_E_STALE);
}

TEST_F(DispatcherTest, PendingHoldsItsPlace) {
  accept("a");
  accept("b");
  answer(take(), TRIGGER_PENDING);
  EXPECT_TRUE(nothing_to_take());
}

TEST_F(DispatcherTest, CompleteMayComeBeforeHandleHasReturned) {
  accept("a");
  const trigger_message& taken = take();
  EXPECT_EQ(dispatcher().complete(taken.token, {TRIGGER_REJECT, 0, "early"}), TRIGGER_OK);
  EXPECT_EQ(dispatcher().complete(taken.token, {TRIGGER_OK, 0, ""}), TRIGGER_E_STALE);
  EXPECT_TRUE(sink_.told.empty()) << "the service may still be reading the message";
  answer(taken, TRIGGER_PENDING);
  EXPECT_EQ(sink_.told, Told{"dead letter a early"});
}

TEST_F(DispatcherTest, TheFirstAnswerWinsOverWhatHandleReturnsLater) {
  accept("a");
  const trigger_message& taken = take();
  EXPECT_EQ(dispatcher().complete(taken.token, {TRIGGER_OK, 0, ""}), TRIGGER_OK);
  answer(taken, TRIGGER_RETRY);
  EXPECT_EQ(sink_.told, Told{"finished a"});
}

TEST_F(DispatcherTest, AnUnknownTokenIsStale) {
  accept("a");
  EXPECT_EQ(dispatcher().complete(0, {}), TRIGGER_E_STALE);
  EXPECT_EQ(dispatcher().complete(77, {}), TRIGGER_E_STALE);
  EXPECT_EQ(dispatcher().extend(77, 1), TRIGGER_E_STALE);
}

// ---- deadlines ----

TEST_F(DispatcherTest, PendingPastItsDeadlineIsRetriedAndTheLateAnswerRefused) {
  accept("a");
  const trigger_message& taken = take();
  const std::uint64_t token = taken.token;
  answer(taken, TRIGGER_PENDING);
  advance(Millis(999));
  EXPECT_TRUE(sink_.told.empty());
  advance(Millis(1));
  EXPECT_EQ(sink_.told, Told{"retry a 1 100 no verdict within 1s"});
  EXPECT_EQ(topic(taken), "a") << "the service may read it until it completes";
  EXPECT_EQ(dispatcher().stats().expired_pending, 1U);
  EXPECT_EQ(dispatcher().complete(token, {TRIGGER_OK, 0, ""}), TRIGGER_E_STALE);
  EXPECT_EQ(dispatcher().stats().expired_pending, 0U);
  EXPECT_EQ(dispatcher().complete(token, {TRIGGER_OK, 0, ""}), TRIGGER_E_STALE);
  advance(Millis(100));
  EXPECT_EQ(take().attempt, 2U);
}

TEST_F(DispatcherTest, ExtendMovesTheDeadline) {
  accept("a");
  const trigger_message& taken = take();
  const std::uint64_t token = taken.token;
  answer(taken, TRIGGER_PENDING);
  advance(Millis(900));
  EXPECT_EQ(dispatcher().extend(token, 5'000), TRIGGER_OK);
  advance(Millis(4'999));
  EXPECT_TRUE(sink_.told.empty());
  advance(Millis(1));
  EXPECT_EQ(sink_.told.size(), 1U);
  EXPECT_EQ(dispatcher().extend(token, 5'000), TRIGGER_E_STALE);
}

TEST_F(DispatcherTest, ExtendMayShorten) {
  accept("a");
  const trigger_message& taken = take();
  answer(taken, TRIGGER_PENDING);
  EXPECT_EQ(dispatcher().extend(taken.token, 10), TRIGGER_OK);
  advance(Millis(10));
  EXPECT_EQ(sink_.told.size(), 1U);
}

TEST_F(DispatcherTest, ACallThatOverrunsKeepsItsPlaceAndKeyUntilItReturns) {
  options_.concurrency = 2;
  accept("a");
  accept("a");
  const trigger_message& taken = take();
  advance(Millis(1'000));
  EXPECT_EQ(sink_.told, Told{"overrunning a"});
  advance(Millis(60'000));
  EXPECT_EQ(sink_.told.size(), 1U) << "said once";
  EXPECT_TRUE(nothing_to_take());
  answer(taken, TRIGGER_OK);  // refused: it had counted as a retry
  EXPECT_EQ(sink_.told.back(), "retry a 1 100 no verdict within 1s");
  EXPECT_EQ(dispatcher().stats().late_answers, 1U);
  EXPECT_EQ(dispatcher().stats().ok, 0U);
}

TEST_F(DispatcherTest, AnOverrunThatThenSaysPendingKeepsTheMessageReadable) {
  accept("a");
  const trigger_message& taken = take();
  const std::uint64_t token = taken.token;
  advance(Millis(1'000));
  answer(taken, TRIGGER_PENDING);
  EXPECT_EQ(dispatcher().stats().expired_pending, 1U);
  EXPECT_EQ(topic(taken), "a");
  EXPECT_EQ(dispatcher().complete(token, {}), TRIGGER_E_STALE);
  EXPECT_EQ(dispatcher().stats().expired_pending, 0U);
}

TEST_F(DispatcherTest, CompletedDuringAnOverrunIsStaleAndPinsNothing) {
  accept("a");
  const trigger_message& taken = take();
  advance(Millis(1'000));
  EXPECT_EQ(dispatcher().complete(taken.token, {TRIGGER_OK, 0, ""}), TRIGGER_E_STALE);
  answer(taken, TRIGGER_PENDING);
  EXPECT_EQ(dispatcher().stats().expired_pending, 0U);
  EXPECT_EQ(sink_.told.back(), "retry a 1 100 no verdict within 1s");
}

TEST_F(DispatcherTest, AServiceThatNeverCompletesStallsItsTriggerInsteadOfFillingMemory) {
  options_.retry.max_attempts = 1;
  for (int i = 0; i < 5; ++i) accept(fmt::format("t{}", i));
  const trigger_message* last = nullptr;
  for (int i = 0; i < 4; ++i) {
    last = &take();
    answer(*last, TRIGGER_PENDING);
    advance(Millis(1'000));
  }
  EXPECT_EQ(std::count(sink_.told.begin(), sink_.told.end(), "stalled 4"), 1);
  EXPECT_TRUE(nothing_to_take());
  EXPECT_EQ(dispatcher().complete(last->token, {}), TRIGGER_E_STALE);
  EXPECT_EQ(topic(take()), "t4");
}

// ---- room ----

TEST_F(DispatcherTest, FullAtCapacityRoomyAgainAtHalf) {
  for (int i = 0; i < 3; ++i) accept(fmt::format("t{}", i));
  EXPECT_FALSE(dispatcher().full());
  accept("t3");
  EXPECT_TRUE(dispatcher().full());
  EXPECT_EQ(sink_.told, Told{"room"});
  answer(take(), TRIGGER_OK);
  EXPECT_TRUE(dispatcher().full());
  answer(take(), TRIGGER_OK);
  EXPECT_FALSE(dispatcher().full());
  EXPECT_EQ(std::count(sink_.told.begin(), sink_.told.end(), "room"), 2);
}

TEST_F(DispatcherTest, WhatComesWhileFullIsStillTaken) {
  for (int i = 0; i < 10; ++i) accept(fmt::format("t{}", i));
  EXPECT_EQ(dispatcher().stats().queued, 10U);
}

// ---- stopping ----

TEST_F(DispatcherTest, DrainEndsAtOnceWhereNothingIsLeft) {
  EXPECT_TRUE(dispatcher().drain(clock_.now() + Millis(1'000)));
}

TEST_F(DispatcherTest, DrainGivesWaitingRetriesTheirChance) {
  accept("a");
  answer(take(), TRIGGER_RETRY, 500'000);
  EXPECT_TRUE(nothing_to_take());
  EXPECT_FALSE(dispatcher().drain(clock_.now()));
  EXPECT_EQ(take().attempt, 2U);
}

TEST_F(DispatcherTest, DrainDoesNotWaitForWhatIsHeld) {
  accept("a");
  dispatcher().hold();
  EXPECT_TRUE(dispatcher().drain(clock_.now() + Millis(1'000)));
}

TEST_F(DispatcherTest, DrainMayPause) {
  accept("a");
  EXPECT_FALSE(dispatcher().drain(clock_.now() + Millis(1'000'000), clock_.now()));
}

TEST_F(DispatcherTest, RevokedPendingIsStaleAndUnfinished) {
  accept("a");
  accept("b");
  const trigger_message& taken = take();
  const std::uint64_t token = taken.token;
  answer(taken, TRIGGER_PENDING);
  dispatcher().revoke_pending();
  EXPECT_EQ(dispatcher().complete(token, {TRIGGER_OK, 0, ""}), TRIGGER_E_STALE);
  const auto left = dispatcher().take_unfinished();
  ASSERT_EQ(left.size(), 2U);
  EXPECT_TRUE(sink_.told.empty());
}

TEST_F(DispatcherTest, WhatAServiceDoesNotReturnIsUnfinishedToo) {
  options_.concurrency = 3;
  for (const char* t : {"running", "overrunning", "answered"}) accept(t);
  take();
  take();
  const trigger_message& answered = take();
  EXPECT_EQ(dispatcher().complete(answered.token, {TRIGGER_OK, 0, ""}), TRIGGER_OK);
  advance(Millis(1'000));
  EXPECT_EQ(dispatcher().take_unfinished().size(), 2U) << "not the one that is answered";
}

TEST_F(DispatcherTest, AStoppedWorkerGetsNothing) {
  accept("a");
  std::stop_source stop;
  stop.request_stop();
  EXPECT_EQ(dispatcher().take(stop.get_token()), nullptr);
  EXPECT_EQ(dispatcher().stats().queued, 1U);
}

// ---- quiesced ----

TEST_F(DispatcherTest, QuiescedMessagesWaitInTheirOrder) {
  EXPECT_TRUE(dispatcher().quiesce(clock_.now()));
  accept("a");
  accept("b");
  EXPECT_TRUE(nothing_to_take());
  dispatcher().unquiesce();
  EXPECT_EQ(topic(take()), "a");
}

TEST_F(DispatcherTest, ItIsQuiescedOnceNothingIsInTheServicesHands) {
  accept("a");
  const trigger_message& a = take();
  EXPECT_FALSE(dispatcher().quiesce(clock_.now()));
  answer(a, TRIGGER_OK);
  EXPECT_TRUE(dispatcher().quiesce(clock_.now()));
}

TEST_F(DispatcherTest, QuiescedARetryWaitsToo) {
  accept("a");
  answer(take(), TRIGGER_RETRY);
  EXPECT_TRUE(dispatcher().quiesce(clock_.now()));
  advance(Millis(200));
  EXPECT_TRUE(nothing_to_take());
  dispatcher().unquiesce();
  EXPECT_EQ(take().attempt, 2U);
}

TEST_F(DispatcherTest, APendingMessageThatIsRevokedComesAgainAndItsLateAttemptEndsWithTheInstance) {
  accept("a");
  const trigger_message& a = take();
  const std::uint64_t token = a.token;
  answer(a, TRIGGER_PENDING);
  EXPECT_FALSE(dispatcher().quiesce(clock_.now()));
  dispatcher().revoke_pending();
  EXPECT_TRUE(dispatcher().quiesce(clock_.now()));
  EXPECT_EQ(dispatcher().stats().expired_pending, 1U);
  dispatcher().end_expired_pending();
  EXPECT_EQ(dispatcher().stats().expired_pending, 0U);
  EXPECT_EQ(dispatcher().complete(token, {TRIGGER_OK, 0, ""}), TRIGGER_E_STALE);
  dispatcher().unquiesce();
  advance(Millis(1));
  EXPECT_EQ(topic(take()), "a");
}

// ---- MQTT 5 ----

TEST_F(DispatcherTest, PropertiesReachTheServiceAsTheyCame) {
  using mqtt::encode_property;
  mqtt::Message m = message("a");
  m.mqtt5 = true;
  encode_property(m.properties, {.id = 0x26, .name = "k", .value = "1"});
  encode_property(m.properties, {.id = 0x02, .number = 60});
  encode_property(m.properties, {.id = 0x26, .name = "k", .value = "2"});
  dispatcher().accept({test::delivery(std::move(m))});
  const trigger_message& taken = take();
  EXPECT_EQ(taken.flags, TRIGGER_MESSAGE_MQTT5);
  ASSERT_EQ(taken.property_count, 3U);
  EXPECT_EQ(std::string_view(taken.properties[0].name.ptr, 2), std::string_view("k\0", 2))
      << "with a NUL behind it";
  EXPECT_EQ(taken.properties[0].name.len, 1U);
  EXPECT_EQ(taken.properties[0].value.ptr[0], '1');
  EXPECT_EQ(taken.properties[1].id, 0x02U);
  EXPECT_EQ(taken.properties[1].number, 60U);
  EXPECT_EQ(taken.properties[2].value.ptr[0], '2');
}

TEST_F(DispatcherTest, WhatHasExpiredIsNotHandedOut) {
  const auto expiring = [this](const std::string& topic, Millis in) {
    mqtt::Message m = message(topic);
    m.expires = clock_.now() + in;
    return test::delivery(std::move(m));
  };
  dispatcher().accept({expiring("a", Millis(100)), expiring("b", Millis(5'000)),
                       expiring("a", Millis(6'000)), test::delivery("c")});
  advance(Millis(100));
  EXPECT_EQ(topic(take()), "b") << "a's lane is free again, and its next message comes later";
  EXPECT_EQ(sink_.told.back(), "expired a");
  EXPECT_EQ(dispatcher().stats().expired, 1U);
  EXPECT_EQ(dispatcher().stats().queued, 2U);
}

TEST_F(DispatcherTest, AMessageMayExpireWhileItWaitsForItsRetry) {
  mqtt::Message m = message("a");
  m.expires = clock_.now() + Millis(150);
  dispatcher().accept({test::delivery(std::move(m))});
  answer(take(), TRIGGER_RETRY, 200);
  advance(Millis(200));
  EXPECT_TRUE(nothing_to_take());
  EXPECT_EQ(sink_.told.back(), "expired a");
  EXPECT_EQ(dispatcher().take_unfinished().size(), 0U);
}

TEST_F(DispatcherTest, WhatExpiresMakesRoom) {
  for (int i = 0; i < 4; ++i) {
    mqtt::Message m = message("a");
    m.expires = clock_.now() + Millis(1);
    dispatcher().accept({test::delivery(std::move(m))});
  }
  EXPECT_TRUE(dispatcher().full());
  advance(Millis(1));
  EXPECT_TRUE(nothing_to_take());
  EXPECT_FALSE(dispatcher().full());
  EXPECT_EQ(std::count(sink_.told.begin(), sink_.told.end(), "expired a"), 4);
}

// ---- The clock ----

TEST_F(DispatcherTest, AClockThatIsSetLetsNothingExpire) {
  mqtt::Message m = message("a");
  m.expires = clock_.now() + Millis(1'000);
  dispatcher().accept({test::delivery(std::move(m))});
  clock_.set_wall(std::chrono::hours(24));
  EXPECT_EQ(topic(take()), "a");
}

// They are written to the inbox in this order.
TEST_F(DispatcherTest, UnfinishedOnesAreInTheOrderOfTheirArrivalWhateverTheClockSays) {
  for (const char* name : {"a", "b", "c"}) {
    mqtt::Message m = message(name);
    m.received = clock_.wall();
    dispatcher().accept({test::delivery(std::move(m))});
    clock_.set_wall(-Millis(60'000));
  }
  const auto left = dispatcher().take_unfinished();
  ASSERT_EQ(left.size(), 3U);
  EXPECT_EQ(left[0]->message.topic, "a");
  EXPECT_EQ(left[2]->message.topic, "c");
}

}  // namespace
}  // namespace triggerd::dispatch
