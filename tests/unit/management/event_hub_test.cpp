#include "management/event_hub.hpp"

#include <gtest/gtest.h>

#include "support/capture_log.hpp"

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

TEST(EventHubTest, NobodyWantsAnythingUntilSomebodyListens) {
  EventHub hub;
  EXPECT_FALSE(hub.wants_messages());
  EXPECT_FALSE(hub.wants_states());
  {
    const auto listener = hub.subscribe({.states = false, .messages = true, .trigger = ""}, 10);
    EXPECT_TRUE(hub.wants_messages());
    EXPECT_FALSE(hub.wants_states());
  }
  EXPECT_FALSE(hub.wants_messages());
}

TEST(EventHubTest, ASlowListenerLosesEventsAndIsToldHowManyAndNobodyElseDoes) {
  EventHub hub;
  const auto slow = hub.subscribe({}, 2);
  const auto quick = hub.subscribe({}, 10);
  for (int i = 0; i < 5; ++i) hub.tell(message_of("t"));
  EXPECT_EQ(slow->dropped(), 3U);
  EXPECT_EQ(quick->dropped(), 0U);
  EXPECT_EQ(next(*slow)->number, 1U);
  EXPECT_EQ(next(*slow)->number, 2U);
  EXPECT_FALSE(next(*slow));
  hub.tell(message_of("t"));
  EXPECT_EQ(next(*slow)->number, 6U) << "the gap shows";
}

TEST(EventHubTest, AFilterLetsThroughWhatItNames) {
  EventHub hub;
  const auto listener = hub.subscribe({.states = false, .messages = true, .trigger = "t"}, 10);
  hub.tell(message_of("u"));
  AdminEvent state;
  state.kind = "trigger";
  state.trigger = "t";
  hub.tell(state);
  hub.tell(message_of("t"));
  EXPECT_EQ(next(*listener)->number, 3U);
  EXPECT_FALSE(next(*listener));
}

TEST(EventHubTest, TheEndWakesListeners) {
  EventHub hub;
  const auto listener = hub.subscribe({}, 10);
  hub.end();
  EXPECT_FALSE(listener->next(Monotonic::max()));
  EXPECT_TRUE(listener->ended());
  EXPECT_TRUE(hub.subscribe({}, 10)->ended());
}

TEST(EventLogTest, AChangeOfStateIsAnEventAndALineOfAMessageIsNone) {
  triggerd::test::CaptureLog lines;
  EventHub hub;
  EventLog log(lines, hub);
  log.info("trigger.running", {{"trigger", "early"}}, "nobody listens");
  const auto listener = hub.subscribe({}, 10);
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
