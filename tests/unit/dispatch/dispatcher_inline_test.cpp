// The dispatcher where the thread that has read a message calls the service.
#include <thread>

#include "unit/dispatch/dispatcher_fixture.hpp"

namespace triggerd::dispatch {
namespace {

// Answers what it takes as the test says, and remembers it.
class FakeInlineWorker final : public plugin::InlineWorker {
 public:
  explicit FakeInlineWorker(Dispatcher& dispatcher) : dispatcher_(dispatcher) {}
  void run(bool in_time) override {
    while (in_time && brief) {
      const trigger_message* const message = dispatcher_.take_inline();
      if (message == nullptr) break;
      calls.emplace_back(message->topic.ptr, message->topic.len);
      if (meanwhile) meanwhile();
      dispatcher_.answered(*message, {code, 0, "because"});
    }
    dispatcher_.inline_over(too_long);
  }
  bool willing() const override { return brief; }
  bool give_up() override { return std::exchange(brief, false); }

  bool brief = true;
  std::int32_t code = TRIGGER_OK;
  std::function<void()> meanwhile;  // during the call
  std::optional<Monotonic::duration> too_long;
  std::vector<std::string> calls;

 private:
  Dispatcher& dispatcher_;
};

class DispatcherInlineTest : public DispatcherTest {
 protected:
  void SetUp() override {
    options_.queue_capacity = 100;
    make_anew();
  }
  // As options_ have become.
  void make_anew() {
    dispatcher_.reset();
    worker_ = std::make_shared<FakeInlineWorker>(dispatcher());
    dispatcher().set_inline_worker(worker_);
  }
  // Whether whoever waits for messages is woken from now on.
  void listen(bool& woken) {
    dispatcher().listen([&woken] { woken = true; });
    EXPECT_EQ(dispatcher().poll(0).message, nullptr);
    woken = false;
  }
  // As the receive thread does: messages that came together, and then what was left for later.
  void receive(const std::vector<std::string>& topics) {
    Deferred deferred(clock_);
    std::vector<DeliveryPtr> deliveries;
    for (const std::string& topic : topics) deliveries.push_back(test::delivery(topic));
    dispatcher().accept(std::move(deliveries));
    deferred.run(std::chrono::hours(1));
  }
  const std::vector<std::string>& calls() const { return worker_->calls; }
  std::size_t queued() { return dispatcher().stats().queued; }

  std::shared_ptr<FakeInlineWorker> worker_;
};

using Topics = std::vector<std::string>;

TEST_F(DispatcherInlineTest, WhoHasReadAMessageCallsTheServiceWhenAllIsHandedOver) {
  {
    Deferred deferred(clock_);
    accept("a");
    EXPECT_TRUE(calls().empty()) << "locks are held";
    deferred.run();
    EXPECT_EQ(calls(), (Topics{"a"}));
  }
  EXPECT_EQ(sink_.told, (Told{"finished a"}));
  const Dispatcher::Stats stats = dispatcher().stats();
  EXPECT_EQ(stats.ok, 1U);
  EXPECT_EQ(stats.inline_calls, 1U);
  EXPECT_EQ(dispatcher().times().handle.count, 1U);
}

TEST_F(DispatcherInlineTest, OtherThreadsThatBringMessagesDoNot) {
  accept("a");
  EXPECT_TRUE(calls().empty());
  EXPECT_EQ(topic(take()), "a");
}

TEST_F(DispatcherInlineTest, ItTakesAFewMessagesAndNotMany) {
  receive({"a", "b", "a"});
  EXPECT_EQ(calls(), (Topics{"a", "b", "a"}));
  receive(Topics(50, "a"));
  EXPECT_EQ(calls().size(), 3U);
  EXPECT_EQ(queued(), 50U);
}

TEST_F(DispatcherInlineTest, WhatWaitsOrIsInTheServicesHandsGoesFirst) {
  options_.concurrency = 2;
  make_anew();
  accept("a");
  receive({"a"});
  receive({"b"});
  EXPECT_TRUE(calls().empty());
  const trigger_message& first = take();
  const trigger_message& other = take();
  EXPECT_EQ(topic(first) + topic(other), "ab");
  answer(first, TRIGGER_OK);
  answer(take(), TRIGGER_OK);
  receive({"c"});
  EXPECT_TRUE(calls().empty()) << "one is in the service's hands, in whatever lane";
  answer(other, TRIGGER_OK);
  answer(take(), TRIGGER_OK);
  receive({"a"});
  EXPECT_EQ(calls(), (Topics{"a"}));
}

TEST_F(DispatcherInlineTest, AMessageThatWaitsForItsRetryKeepsItsLane) {
  worker_->code = TRIGGER_RETRY;
  receive({"a"});
  EXPECT_EQ(calls(), (Topics{"a"}));
  EXPECT_EQ(sink_.told, (Told{"retry a 1 100 because"}));
  worker_->code = TRIGGER_OK;
  receive({"a"});
  EXPECT_EQ(calls(), (Topics{"a"}));
  receive({"b"});
  EXPECT_EQ(calls(), (Topics{"a"})) << "something waits";
  advance(Millis(100));
  for (const char* const expected : {"a", "b", "a"}) {
    const trigger_message& next = take();
    EXPECT_EQ(topic(next), expected);
    answer(next, TRIGGER_OK);
  }
}

TEST_F(DispatcherInlineTest, NotWhileMessagesAreHeldBackOrSomethingIsToBeFoundOut) {
  dispatcher().hold();
  receive({"a"});
  dispatcher().begin_half_open();
  receive({"b"});
  EXPECT_TRUE(calls().empty()) << "suspended, and its half-open attempt is a worker's";
  dispatcher().resume();
  answer(take(), TRIGGER_OK);
  answer(take(), TRIGGER_OK);

  dispatcher().begin_probe();
  receive({"a"});
  EXPECT_TRUE(calls().empty()) << "the service is probed";
  std::stop_source stop;
  EXPECT_EQ(dispatcher().take(stop.get_token()), &plugin::WorkSource::kProbe);
  receive({"a"});
  EXPECT_TRUE(calls().empty());
  dispatcher().probed({});
  answer(take(), TRIGGER_OK);
  answer(take(), TRIGGER_OK);

  EXPECT_TRUE(dispatcher().quiesce(clock_.now()));
  receive({"a"});
  EXPECT_TRUE(calls().empty()) << "another build takes over";
  dispatcher().unquiesce();
  answer(take(), TRIGGER_OK);

  EXPECT_TRUE(dispatcher().drain(clock_.now()));
  receive({"a"});
  EXPECT_TRUE(calls().empty()) << "it stops";
  dispatcher().resume();
  answer(take(), TRIGGER_OK);

  receive({"a"});
  EXPECT_EQ(calls(), (Topics{"a"}));
}

TEST_F(DispatcherInlineTest, NotWhileWhatTheServiceNeedsIsAway) {
  worker_->code = TRIGGER_UNAVAILABLE;
  receive({"a"});
  EXPECT_EQ(calls(), (Topics{"a"}));
  worker_->code = TRIGGER_OK;
  receive({"b"});
  advance(Millis(100));
  receive({"c"});
  EXPECT_EQ(calls(), (Topics{"a"})) << "a worker finds out whether it is there again";
  answer(take(), TRIGGER_OK);
  while (const trigger_message* const next = dispatcher().try_take()) answer(*next, TRIGGER_OK);
  receive({"a"});
  EXPECT_EQ(calls(), (Topics{"a", "a"}));
}

TEST_F(DispatcherInlineTest, WhatComesInBetweenLeavesTheMessagesToTheWorkers) {
  Deferred deferred(clock_);
  accept("a");
  EXPECT_TRUE(dispatcher().quiesce(clock_.now()));
  deferred.run();
  EXPECT_TRUE(calls().empty());
  dispatcher().unquiesce();
  answer(take(), TRIGGER_OK);
}

TEST_F(DispatcherInlineTest, MeanwhileNoWorkerTakesAnything) {
  options_.order.by = config::Order::By::none;
  options_.concurrency = 4;
  make_anew();
  worker_->meanwhile = [this] {
    worker_->meanwhile = nullptr;
    accept("b");
    dispatcher().begin_probe();
    EXPECT_EQ(dispatcher().poll(0).message, nullptr);
    EXPECT_TRUE(dispatcher().inline_since());
    EXPECT_TRUE(dispatcher().is_inline_here());
    std::thread([this] { EXPECT_FALSE(dispatcher().is_inline_here()); }).join();
  };
  receive({"a"});
  EXPECT_EQ(calls(), (Topics{"a"})) << "what else there is is for workers";
  EXPECT_FALSE(dispatcher().inline_since());
  EXPECT_FALSE(dispatcher().is_inline_here());
  EXPECT_EQ(topic(take()), "b");
  std::stop_source stop;
  EXPECT_EQ(dispatcher().take(stop.get_token()), &plugin::WorkSource::kProbe);
}

TEST_F(DispatcherInlineTest, AWorkerIsWokenForWhatIsLeft) {
  bool woken = false;
  listen(woken);
  Deferred deferred(clock_);
  accept("a");
  EXPECT_FALSE(woken);
  worker_->brief = false;  // another trigger's call has shown that the service is not
  deferred.run();
  EXPECT_TRUE(woken);
  EXPECT_EQ(topic(take()), "a");
  EXPECT_TRUE(calls().empty());
}

TEST_F(DispatcherInlineTest, SoItIsWhereTheThreadIsKeptElsewhere) {
  bool woken = false;
  listen(woken);
  Deferred deferred(clock_);
  accept("a");
  advance(Millis(999));
  EXPECT_FALSE(woken);
  advance(Millis(1));
  EXPECT_TRUE(woken);
  EXPECT_EQ(topic(take()), "a");
  deferred.run();
  EXPECT_TRUE(calls().empty());
}

TEST_F(DispatcherInlineTest, AStopDoesNotWaitForTheThread) {
  bool woken = false;
  listen(woken);
  Deferred deferred(clock_);
  accept("a");
  EXPECT_FALSE(woken);
  EXPECT_FALSE(dispatcher().drain(clock_.now()));
  EXPECT_TRUE(woken);
}

TEST_F(DispatcherInlineTest, WhatIsPendingHoldsItsPlaceAsEver) {
  worker_->code = TRIGGER_PENDING;
  receive({"a", "b"});
  EXPECT_EQ(calls(), (Topics{"a"}));
  EXPECT_EQ(dispatcher().stats().in_flight, 1U);
  EXPECT_TRUE(nothing_to_take()) << "concurrency is 1";
}

TEST_F(DispatcherInlineTest, AServiceThatTakesBatchesGetsThemFromWorkers) {
  dispatcher().set_max_batch(256);
  receive({"a", "b"});
  EXPECT_TRUE(calls().empty());
  std::vector<const trigger_message*> batch{&take()};
  dispatcher().take_more(batch);
  ASSERT_EQ(batch.size(), 2U);
  dispatcher().batch_answered(batch, {{TRIGGER_OK, 0, ""}, {TRIGGER_OK, 0, ""}});
  receive({"a"});
  EXPECT_EQ(calls(), (Topics{"a"})) << "one that is alone goes to handle";
}

TEST_F(DispatcherInlineTest, ACallThatWasNotBriefIsToldOfOnceAndIsTheLast) {
  worker_->too_long = Millis(23);
  receive({"a"});
  EXPECT_EQ(sink_.told, (Told{"finished a", "not brief 23"}));
  receive({"b"});
  EXPECT_EQ(calls(), (Topics{"a"}));
  answer(take(), TRIGGER_OK);
  EXPECT_EQ(dispatcher().stats().not_brief, 1U);
  EXPECT_EQ(dispatcher().stats().inline_calls, 1U);

  // Its plugin is loaded anew.
  worker_ = std::make_shared<FakeInlineWorker>(dispatcher());
  dispatcher().set_inline_worker(worker_);
  receive({"c"});
  EXPECT_EQ(calls(), (Topics{"c"}));
}

TEST_F(DispatcherInlineTest, ACallThatHangsIsToldOfWhileItDoes) {
  options_.timeout = Millis(3'000);
  make_anew();
  receive({"quick"});
  advance(Millis(900));
  sink_.told.clear();
  worker_->meanwhile = [this] {
    advance(Millis(999));  // the watch of the call before is over, and finds this one
    EXPECT_EQ(sink_.told, Told());
    advance(Millis(1));
    EXPECT_EQ(sink_.told, (Told{"not brief 1000 so far"}));
    advance(Millis(2'000));
    EXPECT_EQ(sink_.told.back(), "overrunning a");
  };
  worker_->too_long = Millis(3'000);
  receive({"a"});
  EXPECT_EQ(sink_.told,
            (Told{"not brief 1000 so far", "overrunning a", "retry a 1 100 no verdict within 3s"}));
  EXPECT_EQ(dispatcher().stats().not_brief, 1U);
  receive({"b"});
  EXPECT_EQ(calls(), (Topics{"quick", "a"}));
}

TEST_F(DispatcherInlineTest, DeadLettersAreNotWrittenOnTheThreadThatReceives) {
  worker_->code = TRIGGER_REJECT;
  receive({"a"});
  EXPECT_EQ(sink_.told, Told());
  EXPECT_EQ(dispatcher().stats().delayed, 1U);
  EXPECT_TRUE(nothing_to_take());
  timer_.run_due();
  EXPECT_EQ(sink_.told, (Told{"dead letter a because"}));
  EXPECT_EQ(dispatcher().stats().rejected, 1U);
  worker_->code = TRIGGER_OK;
  receive({"a"});
  EXPECT_EQ(sink_.told.back(), "finished a") << "its lane goes on";
}

TEST_F(DispatcherInlineTest, NorAreThoseOfMessagesThatNoServiceMaySee) {
  DeliveryPtr condemned = test::delivery("a");
  condemned->crashes.condemned = std::make_unique<const std::string>("ended the runtime");
  Deferred deferred(clock_);
  dispatcher().accept({std::move(condemned)});
  deferred.run(std::chrono::hours(1));
  EXPECT_TRUE(calls().empty());
  EXPECT_EQ(sink_.told, Told());
  timer_.run_due();
  EXPECT_EQ(sink_.told, (Told{"dead letter a ended the runtime"}));
}

TEST_F(DispatcherInlineTest, AMessageThatHasExpiredEndsWithoutACall) {
  mqtt::Message message = test::message("a");
  message.expires = clock_.now();
  Deferred deferred(clock_);
  dispatcher().accept({test::delivery(std::move(message))});
  deferred.run();
  EXPECT_TRUE(calls().empty());
  EXPECT_EQ(sink_.told, (Told{"expired a"}));
}

TEST_F(DispatcherInlineTest, WithoutAnInlineWorkerAllIsAsEver) {
  dispatcher().set_inline_worker(nullptr);
  receive({"a"});
  EXPECT_EQ(topic(take()), "a");
}

}  // namespace
}  // namespace triggerd::dispatch
