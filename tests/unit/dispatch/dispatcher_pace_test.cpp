// The dispatcher with max_rate and delay.
#include <thread>

#include "unit/dispatch/dispatcher_fixture.hpp"

namespace triggerd::dispatch {
namespace {

class DispatcherPaceTest : public DispatcherTest {
 protected:
  DispatcherPaceTest() {
    options_.queue_capacity = 100;
    options_.concurrency = 4;
    options_.order.by = config::Order::By::none;
  }
  void limit(std::uint32_t count) {
    options_.pacing.max_rate = {.count = count, .per = Millis(1'000)};
  }
  void delay(Millis delay) { options_.pacing.delay = delay; }
  void accept_all(const std::vector<std::string>& topics) {
    std::vector<DeliveryPtr> deliveries;
    for (const std::string& topic : topics) deliveries.push_back(received(topic));
    dispatcher().accept(std::move(deliveries));
  }
  void accept(const std::string& topic) { accept_all({topic}); }
  // Received now, or so long ago.
  DeliveryPtr received(const std::string& topic, Millis ago = Millis(0)) {
    mqtt::Message message = test::message(topic);
    message.received = clock_.wall() - ago;
    return test::delivery(std::move(message));
  }
  // The topics that may begin now, each of which is handled.
  std::string handle_all() {
    std::string topics;
    while (const trigger_message* taken = dispatcher().try_take()) {
      topics += topic(*taken);
      answer(*taken, TRIGGER_OK);
    }
    return topics;
  }
  // A worker that sleeps, as a link does, is told of messages from now on.
  void listen() {
    dispatcher().listen([this] { woken_ = true; });
    EXPECT_EQ(dispatcher().poll(1).message, nullptr);
    woken_ = false;
  }
  bool left_before(Millis time) {
    // drain() does not wait: its pause is over.
    return !dispatcher().drain(clock_.now() + time, clock_.now());
  }

  bool woken_ = false;
};

// ---- max_rate ----

TEST_F(DispatcherPaceTest, NoMoreBeginThanTheRateAllows) {
  limit(10);
  accept_all({"a", "b", "c"});
  EXPECT_EQ(handle_all(), "a");
  advance(Millis(90));
  EXPECT_EQ(handle_all(), "");
  advance(Millis(5));
  EXPECT_EQ(handle_all(), "b");
  advance(Millis(100));
  EXPECT_EQ(handle_all(), "c");
}

TEST_F(DispatcherPaceTest, WhoeverWaitsIsToldOnceOneMayGo) {
  limit(10);
  accept_all({"a", "b"});
  EXPECT_EQ(handle_all(), "a");
  listen();
  advance(Millis(94));
  EXPECT_FALSE(woken_);
  advance(Millis(1));
  EXPECT_TRUE(woken_);
}

TEST_F(DispatcherPaceTest, RetriesCount) {
  limit(5);
  accept("a");
  answer(take(), TRIGGER_RETRY, 1);
  advance(Millis(10));
  EXPECT_TRUE(nothing_to_take()) << "it is due, and the next turn is not";
  advance(Millis(190));
  EXPECT_EQ(topic(take()), "a");
}

TEST_F(DispatcherPaceTest, EachMessageOfABatchCounts) {
  limit(200);
  dispatcher().set_max_batch(10);
  accept_all({"a", "b", "c", "d", "e"});
  std::vector<const trigger_message*> batch{&take()};
  dispatcher().take_more(batch);
  EXPECT_EQ(batch.size(), 3U) << "10 ms of them, and one";
  dispatcher().batch_answered(batch, std::vector<plugin::Answer>(3, plugin::Answer{TRIGGER_OK}));
  EXPECT_TRUE(nothing_to_take());
}

TEST_F(DispatcherPaceTest, NoMoreWorkersAreWokenThanMayGo) {
  limit(1);
  DispatchState state(options_, clock_, [] { return 1.0; });
  DispatchReport report;
  std::vector<DispatchState::Run> runs(1);
  for (const char* topic : {"a", "b", "c"}) runs[0].deliveries.push_back(test::delivery(topic));
  runs[0].count = 3;
  state.accept(std::move(runs), 3, {3, 0, 0}, false, report);
  EXPECT_EQ(state.calls_that_may_begin(), 1U);
}

TEST_F(DispatcherPaceTest, WhatTheServiceHasNotSeenLetsAnotherOneGo) {
  limit(1);
  accept_all({"a", "b", "c"});
  const trigger_message& a = take();
  listen();
  dispatcher().answered(a, {.code = TRIGGER_OK, .unseen = true});
  EXPECT_TRUE(woken_);
  const trigger_message& b = take();
  answer(b, TRIGGER_OK);
  EXPECT_TRUE(nothing_to_take());
  EXPECT_EQ(dispatcher().stats().filtered, 1U);
}

TEST_F(DispatcherPaceTest, NothingIsHandedAhead) {
  options_.concurrency = 1;
  limit(1'000'000);
  accept_all({"a", "b"});
  ASSERT_NE(dispatcher().poll(1).message, nullptr);
  EXPECT_EQ(dispatcher().poll(1).message, nullptr);
}

TEST_F(DispatcherPaceTest, ALateTimerLetsNoMoreGo) {
  limit(10);
  accept_all({"a", "b", "c"});
  EXPECT_EQ(handle_all(), "a");
  clock_.advance(Millis(5'000));
  timer_.run_due();
  EXPECT_EQ(handle_all(), "b");
}

TEST_F(DispatcherPaceTest, TheQueueFillsAndNothingIsLost) {
  limit(1);
  options_.queue_capacity = 3;
  accept_all({"a", "b", "c", "d"});
  EXPECT_TRUE(dispatcher().full());
  std::string handled;
  for (int i = 0; i < 4; ++i) {
    handled += handle_all();
    advance(Millis(1'000));
  }
  EXPECT_EQ(handled, "abcd");
  EXPECT_FALSE(dispatcher().full());
}

TEST_F(DispatcherPaceTest, AStopWaitsOnlyForWhatMayBeginBeforeItsEnd) {
  limit(1);
  accept_all({"a", "b"});
  EXPECT_EQ(handle_all(), "a");
  EXPECT_FALSE(left_before(Millis(994)));
  EXPECT_TRUE(left_before(Millis(995)));
  EXPECT_TRUE(nothing_to_take()) << "the rate still holds";
  EXPECT_EQ(dispatcher().take_unfinished().size(), 1U);
}

TEST_F(DispatcherPaceTest, AnOutageIsTestedAtTheRate) {
  limit(1);
  accept("a");
  answer(take(), TRIGGER_UNAVAILABLE);
  advance(Millis(200));
  EXPECT_TRUE(nothing_to_take()) << "its backoff is over, and its turn has not come";
  advance(Millis(800));
  answer(take(), TRIGGER_OK);
  EXPECT_EQ(dispatcher().stats().ok, 1U);
}

TEST_F(DispatcherPaceTest, AHalfOpenAttemptWaitsForItsTurn) {
  limit(1);
  accept_all({"a", "b"});
  EXPECT_EQ(handle_all(), "a");
  dispatcher().hold();
  dispatcher().begin_half_open();
  EXPECT_TRUE(nothing_to_take());
  advance(Millis(1'000));
  EXPECT_EQ(topic(take()), "b");
}

TEST_F(DispatcherPaceTest, ProbesDoNotWaitForTheRate) {
  limit(1);
  accept("a");
  EXPECT_EQ(handle_all(), "a");
  dispatcher().hold();
  dispatcher().begin_probe();
  EXPECT_EQ(dispatcher().poll(0).message, &plugin::WorkSource::kProbe);
}

TEST_F(DispatcherPaceTest, HowLongMessagesWaitForTheRateAloneIsCounted) {
  limit(1);
  accept("a");
  EXPECT_EQ(handle_all(), "a");
  advance(Millis(300));
  EXPECT_FALSE(dispatcher().stats().rate_holds) << "nothing waits";
  accept("b");
  EXPECT_TRUE(dispatcher().stats().rate_holds);
  advance(Millis(100));
  EXPECT_EQ(dispatcher().stats().rate_held, Millis(100));
  advance(Millis(595));
  EXPECT_FALSE(dispatcher().stats().rate_holds);
  EXPECT_EQ(dispatcher().stats().rate_held, Millis(695));
  EXPECT_EQ(handle_all(), "b");
  advance(Millis(500));
  EXPECT_EQ(dispatcher().stats().rate_held, Millis(695));
}

// Calls of a brief service by the thread that reads.
class Inline final : public plugin::InlineWorker {
 public:
  explicit Inline(Dispatcher& dispatcher) : dispatcher_(dispatcher) {}
  void run(bool) override {
    while (const trigger_message* const message = dispatcher_.take_inline()) {
      calls.emplace_back(message->topic.ptr, message->topic.len);
      dispatcher_.answered(*message, {TRIGGER_OK});
    }
    dispatcher_.inline_over({});
  }
  bool willing() const override { return true; }
  bool give_up() override { return false; }
  std::vector<std::string> calls;

 private:
  Dispatcher& dispatcher_;
};

TEST_F(DispatcherPaceTest, TheReceivingThreadKeepsToTheRate) {
  limit(1);
  const auto worker = std::make_shared<Inline>(dispatcher());
  dispatcher().set_inline_worker(worker);
  Deferred deferred(clock_);
  accept_all({"a", "b"});
  deferred.run(std::chrono::hours(1));
  EXPECT_EQ(worker->calls, (std::vector<std::string>{"a"}));
  accept("c");
  deferred.run(std::chrono::hours(1));
  EXPECT_EQ(worker->calls.size(), 1U);
  advance(Millis(1'000));
  EXPECT_EQ(topic(take()), "b") << "it is left to a worker";
}

// ---- delay ----

TEST_F(DispatcherPaceTest, AMessageGoesNoEarlierThanItsDelayAfterItCame) {
  delay(Millis(500));
  accept("a");
  advance(Millis(100));
  accept("b");
  listen();
  advance(Millis(399));
  EXPECT_FALSE(woken_);
  EXPECT_TRUE(nothing_to_take());
  EXPECT_EQ(dispatcher().stats().waiting_for_delay, 2U);
  advance(Millis(1));
  EXPECT_TRUE(woken_);
  EXPECT_EQ(handle_all(), "a");
  advance(Millis(100));
  EXPECT_EQ(handle_all(), "b");
}

TEST_F(DispatcherPaceTest, TheTimeBeforeARestartCounts) {
  delay(Millis(5'000));
  dispatcher().accept({received("long ago", Millis(60'000)), received("lately", Millis(3'000))});
  EXPECT_EQ(handle_all(), "long ago");
  advance(Millis(1'999));
  EXPECT_EQ(handle_all(), "");
  advance(Millis(1));
  EXPECT_EQ(handle_all(), "lately");
}

TEST_F(DispatcherPaceTest, ItsLanesAreAsWithoutADelay) {
  delay(Millis(50));
  options_.order.by = config::Order::By::topic;
  accept_all({"a", "a", "b"});
  advance(Millis(50));
  const trigger_message& first = take();
  EXPECT_EQ(topic(first), "a");
  EXPECT_EQ(topic(take()), "b") << "the second a waits for the first";
  EXPECT_TRUE(nothing_to_take());
  answer(first, TRIGGER_OK);
  EXPECT_EQ(topic(take()), "a");
}

TEST_F(DispatcherPaceTest, ARetryIsNotDelayedAgain) {
  delay(Millis(5'000));
  accept("a");
  advance(Millis(5'000));
  answer(take(), TRIGGER_RETRY, 1);
  advance(Millis(1));
  EXPECT_EQ(topic(take()), "a");
}

TEST_F(DispatcherPaceTest, AReplayedDeadLetterGoesAtOnce) {
  delay(Millis(5'000));
  accept("waits");
  dispatcher().accept({received("replayed")}, true);
  EXPECT_EQ(handle_all(), "replayed");
}

TEST_F(DispatcherPaceTest, WhatExpiresMeanwhileNeverReachesTheService) {
  delay(Millis(500));
  const DeliveryPtr delivery = received("a");
  delivery->message.expires = clock_.now() + Millis(400);
  dispatcher().accept({delivery});
  advance(Millis(500));
  EXPECT_TRUE(nothing_to_take());
  EXPECT_EQ(sink_.told, (Told{"expired a"}));
}

TEST_F(DispatcherPaceTest, WhatWaitsCountsAsUnfinished) {
  delay(Millis(500));
  options_.queue_capacity = 2;
  accept_all({"a", "b"});
  EXPECT_TRUE(dispatcher().full());
  EXPECT_EQ(dispatcher().room(), 0U);
  int seen = 0;
  dispatcher().for_each_unfinished([&seen](const DeliveryPtr&) { ++seen; });
  EXPECT_EQ(seen, 2);
}

TEST_F(DispatcherPaceTest, AStopHandsNothingOutEarly) {
  delay(Millis(500));
  accept("a");
  EXPECT_FALSE(left_before(Millis(499)));
  EXPECT_TRUE(nothing_to_take());
  EXPECT_TRUE(left_before(Millis(500))) << "its time comes before the end";
  EXPECT_EQ(dispatcher().take_unfinished().size(), 1U);
}

TEST_F(DispatcherPaceTest, AStopOfAHeldTriggerWaitsForNoDelay) {
  delay(Millis(500));
  accept("a");
  dispatcher().hold();
  EXPECT_FALSE(left_before(Millis(1'000)));
}

TEST_F(DispatcherPaceTest, TheReceivingThreadCallsNoServiceWithADelay) {
  delay(Millis(500));
  const auto worker = std::make_shared<Inline>(dispatcher());
  dispatcher().set_inline_worker(worker);
  Deferred deferred(clock_);
  dispatcher().accept({received("long ago", Millis(60'000))});
  deferred.run(std::chrono::hours(1));
  EXPECT_TRUE(worker->calls.empty());
  EXPECT_EQ(handle_all(), "long ago");
}

TEST_F(DispatcherPaceTest, DelayAndRateTogether) {
  delay(Millis(500));
  limit(10);
  accept_all({"a", "b"});
  advance(Millis(500));
  EXPECT_EQ(handle_all(), "a");
  EXPECT_EQ(dispatcher().stats().queued, 1U);
  advance(Millis(100));
  EXPECT_EQ(handle_all(), "b");
}

}  // namespace
}  // namespace triggerd::dispatch
