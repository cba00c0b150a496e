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
  bool write_dead_letter(Delivery& d, const std::string& reason) override {
    if (while_telling) while_telling();
    told.push_back(
        fmt::format("{} {} {}", can_write ? "dead letter" : "not written", topic(d), reason));
    return can_write;
  }
  void on_event(const DispatchEvent& event) override { std::visit(*this, event); }
  void idle() override {
    ++idles;
    if (while_idle) while_idle();
  }
  void room_changed() override { told.emplace_back("room"); }

  void operator()(const event::Retrying& e) {
    if (while_telling) while_telling();
    told.push_back(fmt::format("retry {} {} {} {}", topic(*e.delivery), e.attempts, e.delay.count(),
                               e.reason));
  }
  void operator()(const event::PutOff&) {}
  void operator()(const event::Unavailable& e) {
    told.push_back(fmt::format("unavailable {} {} {}", e.failures, e.next.count(), e.reason));
  }
  void operator()(const event::Available& e) {
    told.push_back(fmt::format("available {} {}", e.failures, ms(e.lasted)));
  }
  void operator()(const event::Expired& e) { told.push_back("expired " + topic(*e.delivery)); }
  void operator()(const event::Discarded& e) {
    told.push_back(fmt::format("discarded {} {}", topic(*e.delivery), e.reason));
  }
  void operator()(const event::Duplicate& e) { told.push_back("duplicate " + topic(*e.delivery)); }
  void operator()(const event::TooManyKeys&) { told.emplace_back("too many keys"); }
  void operator()(const event::Suspended& e) { told.push_back("suspended " + topic(*e.delivery)); }
  void operator()(const event::Overrunning& e) {
    told.push_back("overrunning " + topic(*e.delivery));
  }
  void operator()(const event::Stalled& e) {
    told.push_back(fmt::format("stalled {}", e.attempts));
  }
  void operator()(const event::HalfOpenEnded& e) {
    told.push_back(e.handled ? "half-open handled" : "half-open failed");
  }
  void operator()(const event::ProbeEnded& e) {
    told.push_back(e.outcome ? "probe ok" : "probe failed: " + e.outcome.error().message);
  }
  void operator()(const event::NotBrief& e) {
    told.push_back(fmt::format("not brief {}{}", ms(e.kept), e.returned ? "" : " so far"));
  }

  std::vector<std::string> told;
  bool can_write = true;                            // a dead letter
  std::function<void()> while_telling, while_idle;  // a retry or a dead letter; that it is idle
  bool said_idle_next = false;                      // with the message that was finished last
  std::atomic<int> idles = 0;

 private:
  static std::string topic(const Delivery& d) { return std::string(d.message.topic); }
  static Millis::rep ms(Monotonic::duration duration) {
    return std::chrono::duration_cast<Millis>(duration).count();
  }
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
