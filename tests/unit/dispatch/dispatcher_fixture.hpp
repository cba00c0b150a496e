// A dispatcher with a clock that stands still, and a sink that writes down what it is told.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "dispatch/dispatcher.hpp"
#include "support/fake_clock.hpp"
#include "unit/dispatch/messages.hpp"

namespace triggerd::dispatch {

// Writes down what it is told.
class RecordingSink final : public DeliverySink {
 public:
  void finished(Delivery& d, bool idle_next) override {
    told.push_back("finished " + topic(d));
    said_idle_next = idle_next;
  }
  void will_retry(const Delivery& d, std::uint32_t attempts, Millis delay,
                  const std::string& reason) override {
    if (while_telling) while_telling();
    told.push_back(fmt::format("retry {} {} {} {}", topic(d), attempts, delay.count(), reason));
  }
  void put_off(const Delivery&, std::uint32_t, const std::string&) override {}
  void unavailable(const std::string& reason, std::uint32_t failures, Millis next) override {
    told.push_back(fmt::format("unavailable {} {} {}", failures, next.count(), reason));
  }
  void available(std::uint32_t failures, Monotonic::duration lasted) override {
    told.push_back(fmt::format("available {} {}", failures,
                               std::chrono::duration_cast<Millis>(lasted).count()));
  }
  bool bury(Delivery& d, const std::string& reason) override {
    if (while_telling) while_telling();
    told.push_back(fmt::format("{} {} {}", can_bury ? "buried" : "not buried", topic(d), reason));
    return can_bury;
  }
  void expired(Delivery& d) override { told.push_back("expired " + topic(d)); }
  void discarded(Delivery& d, const std::string& reason) override {
    told.push_back(fmt::format("discarded {} {}", topic(d), reason));
  }
  void suspended(const Delivery& d, const std::string&) override {
    told.push_back("suspended " + topic(d));
  }
  void overdue(const Delivery& d) override { told.push_back("overdue " + topic(d)); }
  void stalled(std::size_t late) override { told.push_back(fmt::format("stalled {}", late)); }
  void trial_ended(bool handled) override {
    told.push_back(handled ? "trial handled" : "trial failed");
  }
  void probe_ended(const Result<>& outcome) override {
    told.push_back(outcome ? "probe ok" : "probe failed: " + outcome.error().message);
  }
  void idle() override {
    ++idles;
    if (while_idle) while_idle();
  }
  void not_brief(Monotonic::duration kept, bool returned) override {
    told.push_back(fmt::format("not brief {}{}", std::chrono::duration_cast<Millis>(kept).count(),
                               returned ? "" : " so far"));
  }
  void room_changed() override { told.emplace_back("room"); }

  std::vector<std::string> told;
  bool can_bury = true;
  std::function<void()> while_telling, while_idle;  // a retry or a dead letter; that it is idle
  bool said_idle_next = false;                      // with the message that was finished last
  std::atomic<int> idles = 0;

 private:
  static std::string topic(const Delivery& d) { return std::string(d.message.topic); }
};

using Told = std::vector<std::string>;

class DispatcherTest : public testing::Test {
 protected:
  DispatcherTest() {
    options_.trigger = "t";
    options_.order.by = config::Order::By::topic;
    options_.queue_capacity = 4;
    options_.timeout = Millis(1'000);
    options_.retry.max_attempts = 3;
    options_.retry.backoff = {Millis(100), Millis(1'000), 2.0};
  }
  Dispatcher& dispatcher() {
    if (!dispatcher_) {
      dispatcher_ = std::make_unique<Dispatcher>(options_, sink_, timer_, [] { return 1.0; });
    }
    return *dispatcher_;
  }
  void accept(const std::string& topic) { dispatcher().accept({test::delivery(topic)}); }
  // The next message; fails where there is none.
  const trigger_message& take() {
    const trigger_message* taken = dispatcher().try_take();
    EXPECT_NE(taken, nullptr) << "nothing to take";
    static const trigger_message none{};
    return taken == nullptr ? none : *taken;
  }
  bool nothing_to_take() { return dispatcher().try_take() == nullptr; }
  void answer(const trigger_message& taken, std::int32_t code, std::uint32_t retry_after = 0,
              const std::string& reason = {}) {
    dispatcher().answered(taken, {code, retry_after, reason});
  }
  void advance(Millis by) {
    clock_.advance(by);
    timer_.run_due();
  }
  static std::string topic(const trigger_message& m) { return {m.topic.ptr, m.topic.len}; }

  triggerd::test::FakeClock clock_;
  EventLoop timer_{clock_};
  RecordingSink sink_;
  DispatcherOptions options_;
  std::unique_ptr<Dispatcher> dispatcher_;
};

}  // namespace triggerd::dispatch
