// exchange(): the end of one attempt and the beginning of the next, as a worker asks for both.
#include <gtest/gtest.h>

#include <atomic>
#include <stop_token>
#include <thread>

#include "support/eventually.hpp"
#include "unit/dispatch/dispatcher_fixture.hpp"

namespace triggerd::dispatch {
namespace {

class DispatcherExchangeTest : public DispatcherTest {
 protected:
  // Where it has something at once; else the test would wait for ever.
  const trigger_message& exchange(const trigger_message& taken, std::int32_t code) {
    return *dispatcher().exchange(taken, {.code = code}, {});
  }
  // Where there is nothing: it is stopped when it says that it is idle, so that it does not wait.
  void exchange_last(const trigger_message& taken, std::int32_t code) {
    std::stop_source stop;
    sink_.while_idle = [&] {
      if (while_idle_) while_idle_();
      stop.request_stop();
    };
    EXPECT_EQ(dispatcher().exchange(taken, {.code = code}, stop.get_token()), nullptr);
    sink_.while_idle = {};
  }
  std::function<void()> while_idle_;
};

TEST_F(DispatcherExchangeTest, FinishesOneAndBeginsTheNext) {
  accept("a");
  accept("b");
  const trigger_message& first = take();
  clock_.advance(Millis(5));
  const trigger_message& second = exchange(first, TRIGGER_OK);
  EXPECT_EQ(topic(second), "b");
  EXPECT_EQ(second.attempt, 1U);
  EXPECT_EQ(second.deadline_mono_ns, 2'005'000'000U) << "its time begins now";
  EXPECT_EQ(sink_.told, Told{"finished a"});
  EXPECT_EQ(sink_.idles, 0);
  EXPECT_FALSE(sink_.said_idle_next);
  exchange_last(second, TRIGGER_OK);
  EXPECT_EQ(sink_.told, (Told{"finished a", "finished b"}));
  EXPECT_EQ(dispatcher().stats().ok, 2U);
}

// What was put off for company is not left lying.
TEST_F(DispatcherExchangeTest, IsIdleAfterTheLastOne) {
  accept("a");
  exchange_last(take(), TRIGGER_OK);
  EXPECT_TRUE(sink_.said_idle_next);
  EXPECT_GE(sink_.idles, 1);
}

// A worker may wait for long, and the message was large.
TEST_F(DispatcherExchangeTest, KeepsNothingOfTheLastOne) {
  DeliveryPtr delivery = test::delivery("a");
  const std::weak_ptr<Delivery> kept = delivery;
  dispatcher().accept({std::move(delivery)});
  const trigger_message& taken = take();
  while_idle_ = [&] { EXPECT_TRUE(kept.expired()); };
  exchange_last(taken, TRIGGER_OK);
  EXPECT_TRUE(kept.expired());
}

// Its acknowledgement does not wait for a disk.
TEST_F(DispatcherExchangeTest, IsNotIdleAtOnceWhereADeadLetterIsWrittenFirst) {
  accept("a");
  DeliveryPtr condemned = test::delivery("b");
  condemned->crashes.condemned = std::make_unique<const std::string>("ended the runtime");
  dispatcher().accept({std::move(condemned)});
  exchange_last(take(), TRIGGER_OK);
  EXPECT_EQ(sink_.told, (Told{"finished a", "dead letter b ended the runtime"}));
  EXPECT_FALSE(sink_.said_idle_next);
}

TEST_F(DispatcherExchangeTest, PassesWhatHasExpired) {
  accept("a");
  mqtt::Message message = test::message("b");
  message.expires = clock_.now() + Millis(10);
  dispatcher().accept({test::delivery(std::move(message))});
  accept("c");
  const trigger_message& first = take();
  clock_.advance(Millis(10));
  EXPECT_EQ(topic(exchange(first, TRIGGER_OK)), "c");
  EXPECT_EQ(sink_.told, (Told{"finished a", "expired b"}));
}

TEST_F(DispatcherExchangeTest, AHalfOpenAttemptIsOneMessage) {
  accept("a");
  accept("b");
  dispatcher().hold();
  dispatcher().begin_half_open();
  exchange_last(take(), TRIGGER_OK);
  EXPECT_EQ(sink_.told, (Told{"finished a", "half-open handled"}));
  EXPECT_EQ(dispatcher().stats().queued, 1U);
}

// What stands beside it waits until it is known how that one ends, and then goes, all of it.
TEST_F(DispatcherExchangeTest, OthersGoOnOnceOneThatRanAloneHasEnded) {
  options_.concurrency = 2;
  DeliveryPtr alone = test::delivery("alone");
  alone->crashes.suspect = true;
  dispatcher().accept({std::move(alone)});
  const trigger_message& first = take();
  std::stop_source stop;
  std::atomic<const trigger_message*> got = nullptr;
  std::thread other([&] { got = dispatcher().take(stop.get_token()); });
  ASSERT_TRUE(triggerd::test::eventually([&] { return sink_.idles > 0; }));
  std::this_thread::sleep_for(Millis(20));  // it sleeps by now
  accept("b");
  accept("c");
  EXPECT_EQ(topic(exchange(first, TRIGGER_OK)), "b");
  EXPECT_TRUE(triggerd::test::eventually([&] { return got != nullptr; }, Millis(5'000)));
  stop.request_stop();
  other.join();
}

TEST_F(DispatcherExchangeTest, TheNextOfALaneGoesOnceTheOneBeforeIsFinished) {
  accept("a");
  accept("a");
  EXPECT_EQ(topic(exchange(take(), TRIGGER_OK)), "a");
  EXPECT_TRUE(nothing_to_take());
}

// To tell takes its time, a write to the disk even, which is no time of the next one.
TEST_F(DispatcherExchangeTest, WhatIsToldOfOneIsToldBeforeTheNextBegins) {
  sink_.while_telling = [this] { clock_.advance(Millis(500)); };
  const auto begins_after = [this](std::int32_t code, const std::string& told) {
    accept("a");
    accept("b");
    const trigger_message& first = take();
    const auto began = first.deadline_mono_ns;
    const trigger_message& next = exchange(first, code);
    EXPECT_EQ(topic(next), "b");
    EXPECT_EQ(next.deadline_mono_ns, began + 500'000'000U);
    answer(next, TRIGGER_OK);
    EXPECT_EQ(sink_.told, (Told{told, "finished b"}));
    sink_.told.clear();
  };
  begins_after(TRIGGER_REJECT, "dead letter a rejected without a reason");
  begins_after(TRIGGER_RETRY, "retry a 1 100 ");
}

TEST_F(DispatcherExchangeTest, AStopBeginsNothing) {
  accept("a");
  accept("b");
  std::stop_source stop;
  stop.request_stop();
  EXPECT_EQ(dispatcher().exchange(take(), {.code = TRIGGER_OK}, stop.get_token()), nullptr);
  EXPECT_EQ(dispatcher().stats().in_flight, 0U);
  EXPECT_EQ(dispatcher().stats().queued, 1U);
}

TEST_F(DispatcherExchangeTest, QuiescedItBeginsNothing) {
  accept("a");
  accept("b");
  const trigger_message& first = take();
  EXPECT_FALSE(dispatcher().quiesce(clock_.now()));
  exchange_last(first, TRIGGER_OK);
  EXPECT_EQ(dispatcher().stats().in_flight, 0U);
}

TEST_F(DispatcherExchangeTest, AProbeThatIsWantedComesFirst) {
  accept("a");
  accept("b");
  const trigger_message& first = take();
  dispatcher().begin_probe();
  EXPECT_EQ(&exchange(first, TRIGGER_OK), &plugin::WorkSource::kProbe);
}

// An attempt that is over says nothing more, and whoever asked goes on.
TEST_F(DispatcherExchangeTest, AnAnswerThatCountsForNothing) {
  accept("a");
  accept("b");
  const trigger_message& first = take();
  answer(first, TRIGGER_PENDING);
  EXPECT_EQ(dispatcher().complete(first.token, {.code = TRIGGER_OK}), TRIGGER_OK);
  EXPECT_EQ(topic(exchange(first, TRIGGER_OK)), "b");
  EXPECT_EQ(sink_.told, Told{"finished a"});
  EXPECT_EQ(dispatcher().stats().ok, 1U);
}

TEST_F(DispatcherExchangeTest, RoomIsToldOf) {
  for (const char* topic : {"a", "b", "c", "d"}) accept(topic);
  EXPECT_TRUE(dispatcher().full());
  const trigger_message* taken = &take();
  for (int i = 0; i < 2; ++i) taken = &exchange(*taken, TRIGGER_OK);
  EXPECT_FALSE(dispatcher().full());
  EXPECT_EQ(sink_.told, (Told{"room", "finished a", "finished b", "room"}));
}

}  // namespace
}  // namespace triggerd::dispatch
