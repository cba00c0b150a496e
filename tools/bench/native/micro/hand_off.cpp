// The dispatcher: from the receive thread, which accepts a batch, to the worker that takes it.
#include <benchmark/benchmark.h>

#include <atomic>
#include <chrono>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "dispatch/dispatcher.hpp"

namespace {

using namespace triggerd;
using dispatch::Delivery;
using dispatch::DeliveryPtr;

// Finishes what is ok, as a trigger does, and counts. Nothing else is to happen.
class CountingSink final : public dispatch::DeliverySink {
 public:
  void finished(Delivery& delivery, bool) override {
    delivery.finish();
    finished_.fetch_add(1, std::memory_order_release);
    finished_.notify_all();
  }
  bool write_dead_letter(Delivery&, const std::string&) override {
    ++wrong_;
    return true;
  }
  void on_event(const dispatch::DispatchEvent&) override { ++wrong_; }
  void idle() override { idle_.fetch_add(1, std::memory_order_release); }
  void room_changed() override {}

  // Sleeps until there are `count`.
  void wait_finished(std::uint64_t count) const {
    for (std::uint64_t seen = 0; (seen = finished()) < count;) finished_.wait(seen);
  }
  std::uint64_t finished() const { return finished_.load(std::memory_order_acquire); }
  std::uint64_t idle_count() const { return idle_.load(std::memory_order_acquire); }
  bool all_went_well() const { return wrong_ == 0; }

 private:
  std::atomic<std::uint64_t> finished_{0};
  std::atomic<std::uint64_t> idle_{0};
  std::atomic<int> wrong_{0};
};

class HandOff {
 public:
  HandOff() : dispatcher_(options(), sink_, timer_, [] { return 1.0; }) {}

  // A batch as the intake makes it: from its pool, with the message in the delivery's own memory.
  std::vector<DeliveryPtr> batch(std::size_t count) {
    static const std::string topic = "bench/0";
    static const std::string payload(64, 'x');
    std::vector<DeliveryPtr> made;
    made.reserve(count);
    for (std::size_t i = 0; i < count; ++i) {
      mqtt::Message message;
      message.topic = topic;
      message.payload = {reinterpret_cast<const std::uint8_t*>(payload.data()), payload.size()};
      made.push_back(pool_.make(home_, std::move(message), "0123456789abcdef"));
      made.back()->take_in();
    }
    return made;
  }

  CountingSink& sink() { return sink_; }
  dispatch::Dispatcher& dispatcher() { return dispatcher_; }

 private:
  static dispatch::DispatcherOptions options() {
    dispatch::DispatcherOptions options;
    options.trigger = "bench";
    options.queue_capacity = 1'000'000;
    return options;
  }

  dispatch::DeliveryHome home_{.trigger = "bench", .client_id = "bench"};
  dispatch::DeliveryPool pool_;
  CountingSink sink_;
  EventLoop timer_{system_clock()};
  dispatch::Dispatcher dispatcher_;
};

void answer_ok(dispatch::Dispatcher& dispatcher, const trigger_message& message) {
  dispatcher.answered(message, {.code = TRIGGER_OK, .retry_after_ms = 0, .reason = {}});
}

// All on one thread: what the dispatcher does for a message, without waking anybody.
void dispatcher_round(benchmark::State& state) {
  HandOff hand_off;
  const auto size = static_cast<std::size_t>(state.range(0));
  std::uint64_t wanted = 0;
  for (auto _ : state) {
    hand_off.dispatcher().accept(hand_off.batch(size));
    while (const trigger_message* message = hand_off.dispatcher().try_take()) {
      answer_ok(hand_off.dispatcher(), *message);
    }
    wanted += size;
  }
  if (hand_off.sink().finished() != wanted) state.SkipWithError("not all were finished");
  state.SetItemsProcessed(static_cast<std::int64_t>(wanted));
}
BENCHMARK(dispatcher_round)->Arg(1)->Arg(20)->Arg(1000);

// To a worker, until the whole batch is finished.
void hand_off_batch(benchmark::State& state) {
  HandOff hand_off;
  const auto size = static_cast<std::size_t>(state.range(0));
  std::jthread worker([&](const std::stop_token& stop) {
    while (const trigger_message* message = hand_off.dispatcher().take(stop)) {
      answer_ok(hand_off.dispatcher(), *message);
    }
  });
  std::uint64_t wanted = 0;
  for (auto _ : state) {
    hand_off.dispatcher().accept(hand_off.batch(size));
    wanted += size;
    hand_off.sink().wait_finished(wanted);
  }
  if (!hand_off.sink().all_went_well()) state.SkipWithError("not all were ok");
  state.SetItemsProcessed(static_cast<std::int64_t>(wanted));
}
BENCHMARK(hand_off_batch)->Arg(1)->Arg(20)->Arg(1000)->UseRealTime();

// One message to a worker that sleeps: from accept() until it has it. Where the system wakes it, on
// this core or on one that has to wake too, is a factor of ten: look at several repetitions.
void hand_off_wake(benchmark::State& state) {
  using Clock = std::chrono::steady_clock;
  HandOff hand_off;
  std::atomic<Clock::rep> taken_at{0};
  std::jthread worker([&](const std::stop_token& stop) {
    while (const trigger_message* message = hand_off.dispatcher().take(stop)) {
      taken_at.store(Clock::now().time_since_epoch().count(), std::memory_order_relaxed);
      answer_ok(hand_off.dispatcher(), *message);
    }
  });
  std::uint64_t wanted = 0;
  for (auto _ : state) {
    // Told before it waits: then it needs a moment to fall asleep.
    while (hand_off.sink().idle_count() <= wanted) std::this_thread::yield();
    std::this_thread::sleep_for(std::chrono::microseconds(100));
    auto batch = hand_off.batch(1);
    const auto began = Clock::now();
    hand_off.dispatcher().accept(std::move(batch));
    ++wanted;
    hand_off.sink().wait_finished(wanted);
    const Clock::time_point taken(Clock::duration(taken_at.load(std::memory_order_relaxed)));
    state.SetIterationTime(std::chrono::duration<double>(taken - began).count());
  }
}
BENCHMARK(hand_off_wake)->UseManualTime();

}  // namespace
