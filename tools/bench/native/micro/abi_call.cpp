// A call through the ABI: a worker takes a message, calls handle() of a loaded plugin, and answers.
// The source always has the same message ready, so no lock and no wake is in it.
#include <benchmark/benchmark.h>

#include <atomic>
#include <chrono>
#include <filesystem>
#include <string>
#include <string_view>
#include <thread>

#include "config/trigger.hpp"
#include "plugin/plugin.hpp"
#include "support/temp_dir.hpp"

namespace {

using namespace triggerd;

class QuietLog final : public Log {
 public:
  bool enabled(LogLevel) const override { return false; }
  void write(LogLevel, std::string_view, LogFields, std::string_view) override {}
};

class NoHost final : public plugin::InstanceHost {
 public:
  std::int32_t complete(std::uint64_t, plugin::Answer) override { return TRIGGER_E_STALE; }
  std::int32_t extend(std::uint64_t, std::uint32_t) override { return TRIGGER_E_STALE; }
  std::int32_t publish(const trigger_publish&, plugin::PublishDone) override {
    return TRIGGER_E_STATE;
  }
};

// Hands out as many as were asked for, then waits for the next round.
class SameMessage final : public plugin::WorkSource {
 public:
  SameMessage() {
    message_.struct_size = sizeof message_;
    message_.id = {"id", 2};
    message_.topic = {"bench/0", 7};
    message_.trigger = {"bench", 5};
    message_.payload = {reinterpret_cast<const std::uint8_t*>(payload_.data()), payload_.size()};
    message_.attempt = 1;
  }
  // Returns when `count` messages were answered with ok; false where one was not.
  bool run(std::int64_t count) {
    count_.store(count, std::memory_order_relaxed);
    round_.fetch_add(1, std::memory_order_release);
    round_.notify_all();
    const std::uint64_t wanted = round_;
    for (std::uint64_t done = 0; (done = done_.load(std::memory_order_acquire)) != wanted;) {
      done_.wait(done, std::memory_order_acquire);
    }
    return ok_;
  }
  // Wakes the worker with nothing to do but to see that it is to stop.
  void release() {
    count_.store(0, std::memory_order_relaxed);
    round_.fetch_add(1);
    round_.notify_all();
  }

  const trigger_message* take(std::stop_token stop) override {
    while (left_ == 0) {
      if (seen_ > 0) {
        done_.store(seen_, std::memory_order_release);
        done_.notify_all();
      }
      round_.wait(seen_, std::memory_order_acquire);
      seen_ = round_.load(std::memory_order_acquire);
      if (stop.stop_requested()) return nullptr;
      left_ = count_.load(std::memory_order_relaxed);
    }
    --left_;
    return &message_;
  }
  void answered(const trigger_message&, plugin::Answer answer) override {
    ok_ = ok_ && answer.code == TRIGGER_OK;
  }

 private:
  const std::string payload_ = std::string(64, 'x');
  trigger_message message_{};
  std::atomic<std::int64_t> count_{0};  // of the round
  std::atomic<std::uint64_t> round_{0};
  std::atomic<std::uint64_t> done_{0};
  // The worker's; `ok_` is read between rounds.
  std::uint64_t seen_ = 0;
  std::int64_t left_ = 0;
  bool ok_ = true;
};

void abi_call(benchmark::State& state, const char* name, const char* file) {
  constexpr std::int64_t kCalls = 100'000;
  const test::TempDir dir;
  std::filesystem::permissions(dir.path(), std::filesystem::perms::owner_all);
  QuietLog log;
  NoHost host;
  auto loaded =
      plugin::Generation::load({.name = name, .file = file, .stage_dir = dir.path()}, log);
  if (!loaded) return state.SkipWithError(loaded.error().message.c_str());
  config::Trigger trigger;
  trigger.name = "bench";
  trigger.alias = "bench";
  trigger.plugin = name;
  trigger.settings.json = "{}";
  auto instance = (*loaded)->create(trigger, host);
  if (!instance) return state.SkipWithError(instance.error().message.c_str());
  SameMessage source;
  if (!(*instance)->start() || !(*instance)->run_workers(source, 1)) {
    return state.SkipWithError("it does not start");
  }
  for (auto _ : state) {
    if (!source.run(kCalls)) state.SkipWithError("a message was not ok");
  }
  state.SetItemsProcessed(state.iterations() * kCalls);
  // The worker sees the stop when it is woken.
  std::jthread waker([&source](const std::stop_token& stop) {
    while (!stop.stop_requested()) {
      source.release();
      std::this_thread::sleep_for(std::chrono::milliseconds(1));
    }
  });
  if (!(*instance)->join_workers(std::chrono::steady_clock::now() + std::chrono::seconds(10))) {
    state.SkipWithError("the worker does not come back");
  }
}
BENCHMARK_CAPTURE(abi_call, c, "discard", DISCARD_FILE)->UseRealTime();
BENCHMARK_CAPTURE(abi_call, cpp_wrapper, "bench", BENCH_FILE)->UseRealTime();

}  // namespace
