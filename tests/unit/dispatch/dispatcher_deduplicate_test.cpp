// Messages with the same key: one is handled, and the others end with it.
#include "inbox/key_list.hpp"
#include "unit/dispatch/dispatcher_fixture.hpp"

namespace triggerd::dispatch {
namespace {

// The payload is the key, and the topic names a lane.
class DispatcherDeduplicateTest : public DispatcherTest {
 protected:
  DispatcherDeduplicateTest() {
    options_.concurrency = 4;
    options_.queue_capacity = 100;
    options_.deduplicate = config::Deduplicate{
        .by = config::Deduplicate::By::payload, .topic = false, .window = kWindow, .max = kMost};
    dispatcher().set_keys(keys_);
  }
  DeliveryPtr accept(const std::string& topic, const std::string& payload) {
    DeliveryPtr delivery = test::delivery(test::message(topic, payload));
    dispatcher().accept({delivery});
    return delivery;
  }
  void remake() {
    dispatcher_.reset();
    dispatcher().set_keys(keys_);
  }
  Told told() { return std::exchange(sink_.told, {}); }
  std::size_t waiting() {
    const Dispatcher::Stats stats = dispatcher().stats();
    return stats.queued + stats.delayed + stats.in_flight;
  }

  static constexpr Millis kWindow{60'000};
  static constexpr std::size_t kMost = 50;
  std::shared_ptr<inbox::KeyList> keys_ =
      std::make_shared<inbox::KeyList>(1, inbox::KeyLimits{.window = kWindow, .max = kMost});
};

TEST_F(DispatcherDeduplicateTest, AfterOneWasHandledTheOthersAreDuplicates) {
  const DeliveryPtr first = accept("a", "1");
  answer(take(), TRIGGER_OK);
  ASSERT_NE(first->handled(), nullptr) << "its key goes with its end";
  EXPECT_EQ(first->handled()->number, 1);
  const DeliveryPtr second = accept("b", "1");
  EXPECT_TRUE(nothing_to_take());
  EXPECT_EQ(second->handled(), nullptr) << "its key is there already";
  EXPECT_EQ(told(), (Told{"finished a", "duplicate b"}));
  const Dispatcher::Stats stats = dispatcher().stats();
  EXPECT_EQ(stats.ok, 1U);
  EXPECT_EQ(stats.duplicates, 1U);
  EXPECT_EQ(stats.received, 2U);
  EXPECT_EQ(stats.keys, 1U);
  EXPECT_EQ(waiting(), 0U);
}

TEST_F(DispatcherDeduplicateTest, AfterTheWindowItIsANewMessage) {
  accept("a", "1");
  answer(take(), TRIGGER_OK);
  advance(kWindow - Millis(1));
  accept("b", "1");
  EXPECT_TRUE(nothing_to_take());
  advance(Millis(1));
  accept("c", "1");
  EXPECT_EQ(topic(take()), "c") << "a duplicate does not make it longer";
}

TEST_F(DispatcherDeduplicateTest, WhileOneIsUnderWayTheOthersWait) {
  accept("a", "1");
  accept("b", "1");
  accept("c", "2");
  const trigger_message& a = take();
  EXPECT_EQ(topic(a), "a");
  EXPECT_EQ(topic(take()), "c") << "b waits, and nobody waits for it";
  EXPECT_TRUE(nothing_to_take());
  EXPECT_EQ(dispatcher().stats().delayed, 1U);
  answer(a, TRIGGER_OK);
  EXPECT_EQ(told(), (Told{"finished a", "duplicate b"}));
}

TEST_F(DispatcherDeduplicateTest, AParkedMessageHoldsItsLane) {
  accept("a", "1");
  accept("b", "1");
  accept("b", "2");
  const trigger_message& a = take();
  EXPECT_TRUE(nothing_to_take()) << "the second of b would overtake the first";
  answer(a, TRIGGER_OK);
  EXPECT_EQ(topic(take()), "b");
  EXPECT_TRUE(nothing_to_take());
}

TEST_F(DispatcherDeduplicateTest, InOneLaneThemselves) {
  accept("a", "1");
  accept("a", "1");
  accept("a", "2");
  answer(take(), TRIGGER_OK);
  answer(take(), TRIGGER_OK);
  EXPECT_TRUE(nothing_to_take());
  EXPECT_EQ(told(), (Told{"finished a", "duplicate a", "finished a"}));
}

TEST_F(DispatcherDeduplicateTest, WithoutLanesToo) {
  options_.order.by = config::Order::By::none;
  remake();
  for (const char* topic : {"a", "b", "c"}) accept(topic, "1");
  answer(take(), TRIGGER_RETRY);
  EXPECT_TRUE(nothing_to_take()) << "b and c wait for its retry";
  advance(Millis(100));
  answer(take(), TRIGGER_OK);
  EXPECT_EQ(dispatcher().stats().duplicates, 2U);
  EXPECT_EQ(waiting(), 0U);
}

TEST_F(DispatcherDeduplicateTest, TheyWaitForARetryAndForWhatIsAway) {
  accept("a", "1");
  accept("b", "1");
  answer(take(), TRIGGER_RETRY);
  EXPECT_TRUE(nothing_to_take());
  advance(Millis(100));
  answer(take(), TRIGGER_UNAVAILABLE);
  EXPECT_TRUE(nothing_to_take());
  advance(Millis(100));
  const trigger_message& again = take();
  EXPECT_EQ(topic(again), "a");
  answer(again, TRIGGER_OK);
  EXPECT_EQ(dispatcher().stats().duplicates, 1U);
}

TEST_F(DispatcherDeduplicateTest, TheyWaitForOneThatIsPending) {
  accept("a", "1");
  accept("b", "1");
  const trigger_message& a = take();
  answer(a, TRIGGER_PENDING);
  EXPECT_TRUE(nothing_to_take());
  EXPECT_EQ(dispatcher().complete(a.token, {TRIGGER_OK, 0, {}}), TRIGGER_OK);
  EXPECT_EQ(dispatcher().stats().duplicates, 1U);
}

TEST_F(DispatcherDeduplicateTest, ADeadLetterWasNotHandledAndTheNextOneGoes) {
  accept("a", "1");
  accept("b", "1");
  accept("c", "1");
  const trigger_message& a = take();
  EXPECT_TRUE(nothing_to_take());
  answer(a, TRIGGER_REJECT, 0, "no");
  EXPECT_EQ(told(), Told{"dead letter a no"});
  const trigger_message& b = take();
  EXPECT_EQ(topic(b), "b");
  EXPECT_TRUE(nothing_to_take()) << "c waits for b now";
  answer(b, TRIGGER_OK);
  EXPECT_EQ(told(), (Told{"finished b", "duplicate c"}));
  EXPECT_EQ(dispatcher().stats().keys, 1U);
}

TEST_F(DispatcherDeduplicateTest, ADeadLetterThatIsNotWrittenYetKeepsItsKey) {
  sink_.can_write = false;
  accept("a", "1");
  accept("b", "1");
  const trigger_message& a = take();
  EXPECT_TRUE(nothing_to_take());
  answer(a, TRIGGER_REJECT, 0, "no");
  EXPECT_TRUE(nothing_to_take());
  sink_.can_write = true;
  advance(Millis(1'000));
  EXPECT_EQ(topic(take()), "b");
}

TEST_F(DispatcherDeduplicateTest, OneThatExpiresOrIsDiscardedWasNotHandled) {
  options_.on_exhausted = config::OnExhausted::discard;
  options_.retry.max_attempts = 1;
  remake();
  const DeliveryPtr a = test::delivery(test::message("a", "1"));
  a->message.expires = clock_.now() + Millis(50);
  dispatcher().accept({a});
  accept("b", "1");
  accept("c", "1");
  answer(take(), TRIGGER_UNAVAILABLE);
  advance(Millis(100));  // a is past its expiry
  const trigger_message& b = take();
  EXPECT_EQ(topic(b), "b");
  answer(b, TRIGGER_RETRY);
  EXPECT_EQ(topic(take()), "c");
  EXPECT_EQ(dispatcher().stats().expired, 1U);
  EXPECT_EQ(dispatcher().stats().discarded, 1U);
}

TEST_F(DispatcherDeduplicateTest, OneThatIsFilteredWasNotHandled) {
  accept("a", "1");
  accept("b", "1");
  const trigger_message& a = take();
  EXPECT_TRUE(nothing_to_take());
  dispatcher().answered(a, {.code = TRIGGER_OK, .reason = {}, .unseen = true});
  EXPECT_EQ(topic(take()), "b");
  EXPECT_EQ(dispatcher().stats().keys, 0U);
}

TEST_F(DispatcherDeduplicateTest, OneWithoutAKeyIsHandledEachTime) {
  options_.deduplicate->by = config::Deduplicate::By::json;
  options_.deduplicate->pointer = "/id";
  remake();
  for (int i = 0; i < 2; ++i) {
    accept("a", "no JSON");
    answer(take(), TRIGGER_OK);
  }
  EXPECT_EQ(dispatcher().stats().without_key, 2U);
  EXPECT_EQ(dispatcher().stats().keys, 0U);
}

TEST_F(DispatcherDeduplicateTest, ABatchHasAKeyOnce) {
  dispatcher().set_max_batch(8);
  for (const char* topic : {"a", "b", "c"}) accept(topic, "1");
  accept("d", "2");
  std::vector<const trigger_message*> batch{&take()};
  dispatcher().take_more(batch);
  ASSERT_EQ(batch.size(), 2U);
  EXPECT_EQ(topic(*batch[1]), "d");
  dispatcher().batch_answered(batch, {{TRIGGER_OK, 0, {}}, {TRIGGER_OK, 0, {}}});
  EXPECT_EQ(dispatcher().stats().duplicates, 2U);
  EXPECT_EQ(waiting(), 0U);
}

TEST_F(DispatcherDeduplicateTest, NothingIsHandedAhead) {
  options_.concurrency = 1;
  options_.order.by = config::Order::By::trigger;
  remake();
  accept("a", "1");
  accept("a", "1");
  (void)take();
  EXPECT_EQ(dispatcher().poll(4).message, nullptr);
}

TEST_F(DispatcherDeduplicateTest, ALostWorkerLeavesTheKeyWithItsMessage) {
  accept("a", "1");
  accept("b", "1");
  (void)take();
  EXPECT_TRUE(nothing_to_take());
  dispatcher().lost({.why = plugin::WorkSource::Loss::Why::crashed, .reason = "SIGSEGV"});
  EXPECT_TRUE(nothing_to_take()) << "a waits for its retry, and b for a";
  advance(Millis(100));
  EXPECT_EQ(topic(take()), "a");
}

TEST_F(DispatcherDeduplicateTest, AtAStopParkedMessagesAreUnfinishedInTheirOrder) {
  accept("a", "1");
  accept("b", "1");
  accept("c", "2");
  const trigger_message& a = take();
  (void)take();
  std::vector<std::string> seen;
  dispatcher().for_each_unfinished(
      [&](const DeliveryPtr& delivery) { seen.emplace_back(delivery->message.topic); });
  EXPECT_EQ(seen.size(), 3U);
  EXPECT_EQ(dispatcher().room(), 97U);
  std::vector<std::string> left;
  for (const DeliveryPtr& delivery : dispatcher().take_unfinished()) {
    left.emplace_back(delivery->message.topic);
  }
  EXPECT_EQ(left, (std::vector<std::string>{"a", "b", "c"}));
  answer(a, TRIGGER_OK);  // its call returns after all
  EXPECT_EQ(told(), Told{"finished a"});
}

TEST_F(DispatcherDeduplicateTest, AStopDrainsWhatWaitsForAKey) {
  accept("a", "1");
  accept("b", "1");
  answer(take(), TRIGGER_RETRY);
  EXPECT_TRUE(nothing_to_take());
  EXPECT_FALSE(dispatcher().drain(clock_.now() + Millis(1'000), clock_.now()));
  answer(take(), TRIGGER_OK);
  EXPECT_TRUE(dispatcher().drain(clock_.now() + Millis(1'000), clock_.now()));
  EXPECT_EQ(dispatcher().stats().duplicates, 1U);
}

TEST_F(DispatcherDeduplicateTest, AnotherDispatcherWithTheKeysGoesOn) {
  accept("a", "1");
  answer(take(), TRIGGER_OK);
  remake();
  accept("a", "1");
  EXPECT_TRUE(nothing_to_take());
  EXPECT_EQ(dispatcher().stats().duplicates, 1U);
}

TEST_F(DispatcherDeduplicateTest, ItIsToldOnceThatThereAreTooMany) {
  for (std::size_t i = 0; i < kMost + 2; ++i) {
    accept("a", std::to_string(i));
    answer(take(), TRIGGER_OK);
  }
  const Told all = told();
  EXPECT_EQ(std::count(all.begin(), all.end(), "too many keys"), 1);
  EXPECT_EQ(dispatcher().stats().keys_forgotten, 2U);
}

TEST_F(DispatcherDeduplicateTest, DuplicatesMakeRoom) {
  options_.queue_capacity = 2;
  remake();
  accept("a", "1");
  answer(take(), TRIGGER_OK);
  accept("b", "1");
  accept("c", "1");
  EXPECT_TRUE(dispatcher().full());
  EXPECT_TRUE(nothing_to_take());
  EXPECT_FALSE(dispatcher().full());
  EXPECT_EQ(told(), (Told{"finished a", "room", "duplicate b", "duplicate c", "room"}));
}

TEST_F(DispatcherDeduplicateTest, AHalfOpenAttemptThatFindsOnlyDuplicatesIsOver) {
  accept("a", "1");
  answer(take(), TRIGGER_OK);
  dispatcher().hold();
  accept("b", "1");
  dispatcher().begin_half_open();
  EXPECT_TRUE(nothing_to_take());
  EXPECT_EQ(told(), (Told{"finished a", "duplicate b", "half-open failed"}));
  dispatcher().begin_half_open();
  EXPECT_TRUE(nothing_to_take()) << "that one waits for a message";
  accept("c", "2");
  EXPECT_EQ(topic(take()), "c");
}

// Whatever ends how: every message has one end, and of each key at most one is handled.
TEST_F(DispatcherDeduplicateTest, NoneIsStuck) {
  options_.order.by = config::Order::By::topic;
  options_.retry.max_attempts = 2;
  remake();
  std::uint64_t random = 20'261'130;
  const auto next = [&](std::uint64_t below) {
    random = random * 6'364'136'223'846'793'005ULL + 1'442'695'040'888'963'407ULL;
    return (random >> 33) % below;
  };
  std::uint64_t accepted = 0;
  for (int round = 0; round < 2'000; ++round) {
    for (std::uint64_t n = next(5); n > 0; --n, ++accepted) {
      accept(std::string(1, static_cast<char>('a' + next(6))), std::to_string(next(40)));
    }
    std::vector<const trigger_message*> taken;
    while (const trigger_message* message = dispatcher().try_take()) taken.push_back(message);
    for (const trigger_message* message : taken) {
      constexpr std::int32_t kAnswers[] = {TRIGGER_OK, TRIGGER_OK, TRIGGER_RETRY, TRIGGER_REJECT,
                                           TRIGGER_UNAVAILABLE};
      answer(*message, kAnswers[next(5)]);
    }
    advance(Millis(static_cast<Millis::rep>(next(300))));
  }
  for (int round = 0; round < 1'000 && waiting() > 0; ++round) {
    while (const trigger_message* message = dispatcher().try_take()) answer(*message, TRIGGER_OK);
    advance(Millis(10'000));
  }
  const Dispatcher::Stats stats = dispatcher().stats();
  EXPECT_EQ(waiting(), 0U);
  EXPECT_EQ(stats.ok + stats.duplicates + stats.rejected + stats.exhausted, accepted);
  EXPECT_GT(stats.ok, 100U);
  EXPECT_GT(stats.duplicates, 1'000U);
}

}  // namespace
}  // namespace triggerd::dispatch
