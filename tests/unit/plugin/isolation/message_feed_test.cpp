#include "plugin/isolation/message_feed.hpp"

#include <gtest/gtest.h>

#include <deque>
#include <thread>
#include <vector>

#include "unit/plugin/isolation/worker_end.hpp"

namespace triggerd::plugin::isolation {
namespace {

// Gives what it has, and remembers how many ahead it was asked for.
class PolledSource final : public WorkSource {
 public:
  void push(std::string topic, std::string payload = "") {
    Held& held = held_.emplace_back();
    held.topic = std::move(topic);
    held.payload = std::move(payload);
    held.message.topic = {held.topic.data(), held.topic.size()};
    held.message.payload = {reinterpret_cast<const std::uint8_t*>(held.payload.data()),
                            held.payload.size()};
    waiting_.push_back(&held.message);
  }
  void push_probe() { waiting_.push_back(&kProbe); }
  std::size_t waiting() const { return waiting_.size(); }
  std::size_t last_ahead() const { return last_ahead_; }

  Taken poll(std::size_t ahead) override {
    last_ahead_ = ahead;
    if (waiting_.empty()) return {};
    const trigger_message* const next = waiting_.front();
    waiting_.pop_front();
    return {.message = next, .follows = false};
  }
  const trigger_message* take(std::stop_token) override { return nullptr; }
  void answered(const trigger_message&, Answer) override {}

 private:
  struct Held {
    std::string topic;
    std::string payload;
    trigger_message message{};
  };
  std::deque<Held> held_;
  std::deque<const trigger_message*> waiting_;
  std::size_t last_ahead_ = 0;
};

class IsolationMessageFeed : public testing::Test {
 protected:
  WorkerEnd worker_;
  PolledSource source_;
  MessageFeed feed_{worker_.shared(), worker_.host_socket()};
};

TEST_F(IsolationMessageFeed, TakesNothingBeforeTheWorkerIsToldToRun) {
  source_.push("a");
  feed_.feed(source_, 0);
  EXPECT_EQ(source_.waiting(), 1U);
  feed_.open();
  feed_.feed(source_, 0);
  EXPECT_EQ(worker_.read_topic(), "a");
  feed_.close();
  source_.push("b");
  feed_.feed(source_, 0);
  EXPECT_EQ(source_.waiting(), 1U);
  EXPECT_FALSE(worker_.read());
}

TEST_F(IsolationMessageFeed, RingsTheBellOnceForAllThatItHasWritten) {
  feed_.open();
  feed_.feed(source_, 0);
  EXPECT_EQ(worker_.shared().bell, 0U) << "there was nothing";
  source_.push("a");
  source_.push("b");
  source_.push_probe();
  feed_.feed(source_, 0);
  EXPECT_EQ(worker_.shared().bell, 1U);
  EXPECT_FALSE(feed_.drained());
  EXPECT_EQ(worker_.read_topic(), "a");
  EXPECT_EQ(worker_.read_topic(), "b");
  EXPECT_EQ(worker_.read()->first, ToWorker::probe);
  EXPECT_TRUE(feed_.drained());
}

TEST_F(IsolationMessageFeed, HandsOverAheadWhatTheServiceHandlesInHalfAMillisecond) {
  feed_.open();
  const auto ahead_for = [this](std::uint64_t busy_ns) {
    feed_.feed(source_, busy_ns);
    return source_.last_ahead();
  };
  EXPECT_EQ(ahead_for(0), 0U) << "not known yet";
  EXPECT_EQ(ahead_for(100), 255U);
  EXPECT_EQ(ahead_for(50'000), 10U);
  EXPECT_EQ(ahead_for(500'001), 0U);
}

TEST_F(IsolationMessageFeed, AMessageThatIsTooLongGoesOnTheSocketInItsTurn) {
  feed_.open();
  source_.push("short");
  source_.push("long", std::string(kRingBytes, 'x'));
  source_.push("short too");
  feed_.feed(source_, 0);
  EXPECT_EQ(worker_.read_topic(), "short");
  EXPECT_EQ(worker_.read()->first, ToWorker::elsewhere);
  EXPECT_EQ(worker_.read_topic(), "short too");
  // The socket takes a part at once, and the rest while the worker reads.
  std::jthread flushing([this](const std::stop_token& stop) {
    while (!stop.stop_requested() && worker_.host_socket().has_unsent()) {
      worker_.host_socket().flush();
    }
  });
  auto frame = worker_.socket().receive();
  ASSERT_TRUE(frame);
  EXPECT_EQ(frame->type, static_cast<std::uint32_t>(ToWorker::message));
  OwnedMessage message;
  ASSERT_TRUE(decode_message(frame->bytes, message));
  EXPECT_EQ(std::string_view(message.topic.ptr, message.topic.len), "long");
}

TEST_F(IsolationMessageFeed, WhatFindsNoRoomIsNextOnceThereIsSome) {
  feed_.open();
  const std::string payload(kRingBytes / 5, 'x');
  for (const char* topic : {"1", "2", "3", "4", "5", "6"}) source_.push(topic, payload);
  feed_.feed(source_, 0);
  EXPECT_EQ(source_.waiting(), 1U) << "one is in hand, and the next waits where it is";
  std::vector<std::string> topics;
  for (int i = 0; i < 6; ++i) {
    topics.push_back(worker_.read_topic());
    feed_.feed(source_, 0);
  }
  EXPECT_EQ(topics, (std::vector<std::string>{"1", "2", "3", "4", "5", "6"}));
  EXPECT_TRUE(feed_.drained());
}

TEST_F(IsolationMessageFeed, WhatFoundNoRoomIsDroppedWithTheEndOfServing) {
  feed_.open();
  const std::string payload(kRingBytes / 5, 'x');
  for (const char* topic : {"1", "2", "3", "4", "5"}) source_.push(topic, payload);
  feed_.feed(source_, 0);
  feed_.close();
  for (const char* topic : {"1", "2", "3", "4"}) EXPECT_EQ(worker_.read_topic(), topic);
  feed_.feed(source_, 0);
  EXPECT_FALSE(worker_.read());
  EXPECT_TRUE(feed_.drained());
}

TEST_F(IsolationMessageFeed, AWorkerThatClaimsToHaveReadMoreThanThereIsGetsNothingMore) {
  feed_.open();
  source_.push("a");
  source_.push("b");
  worker_.shared().to_worker.read = 4'711;
  feed_.feed(source_, 0);
  EXPECT_EQ(feed_.protocol_error(), "invalid ring read position");
  EXPECT_EQ(source_.waiting(), 1U);
  EXPECT_EQ(worker_.shared().bell, 0U);
}

}  // namespace
}  // namespace triggerd::plugin::isolation
