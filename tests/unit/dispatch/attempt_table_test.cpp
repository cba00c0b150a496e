#include "dispatch/attempt_table.hpp"

#include <gtest/gtest.h>

#include <vector>

#include "unit/dispatch/messages.hpp"

namespace triggerd::dispatch {
namespace {

using State = Attempt::State;

Monotonic at(Millis::rep ms) {
  return Monotonic(Millis(ms));
}

class AttemptTableTest : public testing::Test {
 protected:
  Attempt& begun(Millis::rep now = 1'000) {
    Attempt& attempt = table_.add(test::delivery("topic"));
    table_.begin(attempt, at(now));
    return attempt;
  }
  // in_flight, expired_pending, overrunning
  std::vector<std::size_t> counts() const {
    return {table_.in_flight(), table_.expired_pending(), table_.overrunning()};
  }
  using Counts = std::vector<std::size_t>;

  AttemptTable table_{"t", Millis(3'000)};
};

TEST_F(AttemptTableTest, AnAttemptShowsItsMessage) {
  mqtt::Message message = test::message("topic", "payload");
  message.qos = 2;
  message.retained = true;
  const DeliveryPtr delivery = test::delivery(std::move(message));
  delivery->attempts = 4;
  Attempt& attempt = table_.add(delivery);
  const trigger_message& view = attempt.message;
  EXPECT_EQ(std::string(view.topic.ptr, view.topic.len), "topic");
  EXPECT_EQ(std::string(view.trigger.ptr, view.trigger.len), "t");
  EXPECT_EQ(std::string(view.id.ptr, view.id.len), delivery->id);
  EXPECT_EQ(view.payload.len, 7U);
  EXPECT_EQ(view.qos, 2U);
  EXPECT_EQ(view.flags, TRIGGER_MESSAGE_RETAIN);
  EXPECT_EQ(delivery->attempts, 4U) << "it has not begun";
  table_.begin(attempt, at(1'000));
  EXPECT_EQ(view.attempt, 5U);
  EXPECT_EQ(delivery->attempts, 5U);
  EXPECT_EQ(attempt.deadline, at(4'000));
  EXPECT_EQ(view.deadline_mono_ns, 4'000'000'000U);
}

TEST_F(AttemptTableTest, ATokenIsStaleOnceItsAttemptIsOver) {
  Attempt& first = begun();
  const std::uint64_t token = first.message.token;
  EXPECT_EQ(table_.find(token), &first);
  EXPECT_NE(table_.remove(first), nullptr);
  EXPECT_EQ(table_.find(token), nullptr);
  Attempt& second = begun();
  EXPECT_EQ(&second, &first) << "the slot is used again";
  EXPECT_EQ(table_.find(token), nullptr);
  EXPECT_EQ(table_.find(second.message.token), &second);
  EXPECT_EQ(table_.find(12'345), nullptr) << "there is no such slot";
}

TEST_F(AttemptTableTest, OnlyExpiredPendingAttemptsHoldNoPlace) {
  Attempt& ahead = table_.add(test::delivery("ahead"));
  Attempt& running = begun();
  Attempt& pending = begun();
  pending.state = State::pending;
  EXPECT_EQ(counts(), (Counts{3, 0, 0}));
  table_.mark_overrunning(running);
  EXPECT_EQ(counts(), (Counts{3, 0, 1}));
  table_.mark_expired_pending(pending);
  EXPECT_EQ(counts(), (Counts{2, 1, 1}));
  table_.mark_expired_pending(running);
  EXPECT_EQ(counts(), (Counts{1, 2, 0})) << "it came back as pending, too late";
  (void)table_.remove(running);
  (void)table_.remove(pending);
  (void)table_.remove(ahead);
  EXPECT_EQ(counts(), (Counts{0, 0, 0}));
  Attempt& again = begun();
  table_.mark_overrunning(again);
  (void)table_.remove(again);
  EXPECT_EQ(counts(), (Counts{0, 0, 0}));
}

TEST_F(AttemptTableTest, WhatHasExpiredIsFoundAndWhatComesNext) {
  Attempt& first = begun(1'000);
  Attempt& second = begun(2'000);
  second.state = State::pending;
  Attempt& completed = begun(0);
  completed.state = State::completed;
  Attempt& overrunning = begun(0);
  table_.mark_overrunning(overrunning);
  std::vector<Attempt*> expired;
  EXPECT_EQ(table_.find_expired(at(3'999), expired), at(4'000));
  EXPECT_TRUE(expired.empty()) << "what is settled, or was found before, does not count";
  EXPECT_EQ(table_.find_expired(at(4'000), expired), at(5'000));
  EXPECT_EQ(expired, std::vector<Attempt*>{&first});
  expired.clear();
  EXPECT_EQ(table_.find_expired(at(5'000), expired), Monotonic::max());
  EXPECT_EQ(expired, (std::vector<Attempt*>{&first, &second}));
}

TEST_F(AttemptTableTest, TheOneThatBeganLastIsKnownUntilItIsOver) {
  EXPECT_EQ(table_.last_begun(), nullptr);
  Attempt& first = begun();
  Attempt& ahead = table_.add(test::delivery("ahead"));
  EXPECT_EQ(table_.last_begun(), &first);
  (void)table_.remove(first);
  EXPECT_EQ(table_.last_begun(), nullptr);
  table_.begin(ahead, at(1'000));
  EXPECT_EQ(table_.last_begun(), &ahead);
}

}  // namespace
}  // namespace triggerd::dispatch
