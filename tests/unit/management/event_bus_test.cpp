#include "management/event_bus.hpp"

#include <gtest/gtest.h>

#include "support/capture_log.hpp"
#include "support/fake_clock.hpp"

namespace triggerd::management {
namespace {

AdminEvent message_of(const std::string& trigger) {
  AdminEvent event;
  event.kind = "message";
  event.trigger = trigger;
  return event;
}

std::optional<AdminEvent> next(Subscription& listener) {
  return listener.next(std::chrono::steady_clock::now());
}

TEST(EventBusTest, NobodyWantsAnythingUntilSomebodyListens) {
  test::FakeClock clock;
  EventBus bus(clock);
  EXPECT_FALSE(bus.wants_messages());
  EXPECT_FALSE(bus.wants_states());
  {
    const auto listener = bus.subscribe({.states = false, .messages = true, .trigger = ""}, 10);
    EXPECT_TRUE(bus.wants_messages());
    EXPECT_FALSE(bus.wants_states());
  }
  EXPECT_FALSE(bus.wants_messages());
}

TEST(EventBusTest, AnEventWithoutATimeGetsThatOfTheClock) {
  test::FakeClock clock;
  EventBus bus(clock);
  const auto listener = bus.subscribe({}, 10);
  clock.advance(Millis(1'500));
  bus.publish(message_of("t"));
  AdminEvent earlier = message_of("t");
  earlier.when = clock.wall() - Millis(700);
  bus.publish(earlier);
  EXPECT_EQ(next(*listener)->when, clock.wall());
  EXPECT_EQ(next(*listener)->when, earlier.when);
}

TEST(EventBusTest, ASlowListenerLosesEventsAndIsToldHowManyAndNobodyElseDoes) {
  test::FakeClock clock;
  EventBus bus(clock);
  const auto slow = bus.subscribe({}, 2);
  const auto quick = bus.subscribe({}, 10);
  for (int i = 0; i < 5; ++i) bus.publish(message_of("t"));
  EXPECT_EQ(slow->dropped(), 3U);
  EXPECT_EQ(quick->dropped(), 0U);
  EXPECT_EQ(next(*slow)->number, 1U);
  EXPECT_EQ(next(*slow)->number, 2U);
  EXPECT_FALSE(next(*slow));
  bus.publish(message_of("t"));
  EXPECT_EQ(next(*slow)->number, 6U) << "the gap shows";
}

TEST(EventBusTest, AFilterLetsThroughWhatItNames) {
  test::FakeClock clock;
  EventBus bus(clock);
  const auto listener = bus.subscribe({.states = false, .messages = true, .trigger = "t"}, 10);
  bus.publish(message_of("u"));
  AdminEvent state;
  state.kind = "trigger";
  state.trigger = "t";
  bus.publish(state);
  bus.publish(message_of("t"));
  EXPECT_EQ(next(*listener)->number, 3U);
  EXPECT_FALSE(next(*listener));
}

TEST(EventBusTest, TheEndWakesListeners) {
  test::FakeClock clock;
  EventBus bus(clock);
  const auto listener = bus.subscribe({}, 10);
  bus.end();
  EXPECT_FALSE(listener->next(Monotonic::max()));
  EXPECT_TRUE(listener->ended());
  EXPECT_TRUE(bus.subscribe({}, 10)->ended());
}

TEST(EventLogTest, AChangeOfStateIsAnEventAndALineOfAMessageIsNone) {
  triggerd::test::CaptureLog lines;
  test::FakeClock clock;
  EventBus bus(clock);
  EventLog log(lines, bus);
  log.info("trigger.running", {{"trigger", "early"}}, "nobody listens");
  const auto listener = bus.subscribe({}, 10);
  log.warn("message.retry", {{"trigger", "t"}}, "not this");
  log.info("trigger.running", {{"trigger", "t"}, {"alias", "a"}}, "handles {}", 1);
  const auto event = next(*listener);
  ASSERT_TRUE(event);
  EXPECT_EQ(event->kind, "trigger");
  EXPECT_EQ(event->trigger, "t");
  EXPECT_EQ(event->alias, "a");
  EXPECT_EQ(event->text, "trigger.running: handles 1");
  EXPECT_FALSE(next(*listener));
  EXPECT_EQ(lines.lines("trigger.running").size(), 2U);
}

}  // namespace
}  // namespace triggerd::management
