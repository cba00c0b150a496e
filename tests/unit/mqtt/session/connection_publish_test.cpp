// How much of what is published is in flight, and what becomes of the rest.
#include "unit/mqtt/session/connection_fixture.hpp"

namespace triggerd::mqtt {
namespace {

class ConnectionPublishTest : public test::FakedConnection {
 protected:
  ConnectionPublishTest() {
    options_.servers = {{.host = "one", .port = 1883}};
    resolver_.addresses = {{"one", {"10.0.0.1"}}};
    options_.clean_session = true;
  }
  void up(std::optional<std::uint16_t> receive_maximum = std::nullopt) {
    open();
    asked_.events->on_connected(asked_.attempt(), {.receive_maximum = receive_maximum});
    loop_->run_due();
  }
  // Publishes to "t/N" with what is counted as its outcome.
  void publish(int count, int qos = 1, Millis wait_limit = std::chrono::seconds(30)) {
    for (int i = 0; i < count; ++i) {
      const std::string topic = fmt::format("t/{}", published_++);
      const auto begun = connection_->publish(
          {.topic = topic, .qos = qos, .wait_limit = wait_limit}, [this](const Result<>& outcome) {
            ++(outcome ? ok_ : failed_);
            if (!outcome) why_ = outcome.error().message;
          });
      if (!begun) ++refused_;
    }
    loop_->run_due();
  }
  std::size_t sent() const { return asked_.publishes.size(); }
  void confirm(std::size_t which) {
    asked_.publishes[which].done({});
    loop_->run_due();
  }

  int published_ = 0;
  int ok_ = 0;
  int failed_ = 0;
  int refused_ = 0;
  std::string why_;
};

TEST_F(ConnectionPublishTest, TwentyAreInFlightAndTheOthersLeaveInTheirOrder) {
  for (const int qos : {1, 2}) {
    SCOPED_TRACE(qos);
    asked_ = {};
    published_ = ok_ = 0;
    up();
    publish(50, qos);
    EXPECT_EQ(sent(), 20U);
    for (std::size_t i = 0; i < 50; ++i) {
      ASSERT_LT(i, sent());
      EXPECT_EQ(asked_.publishes[i].topic, fmt::format("t/{}", i));
      confirm(i);
      EXPECT_EQ(sent(), std::min<std::size_t>(50, 21 + i));
    }
    EXPECT_EQ(ok_, 50);
    EXPECT_EQ(refused_, 0);
  }
}

TEST_F(ConnectionPublishTest, AServerOfMqtt5SaysHowMany) {
  up(3);
  publish(10);
  EXPECT_EQ(sent(), 3U);
}

TEST_F(ConnectionPublishTest, AServerOfMqtt5MayTakeMoreThanTwenty) {
  up(65'535);
  publish(100);
  EXPECT_EQ(sent(), 100U);
}

TEST_F(ConnectionPublishTest, TheConfigurationMayAskForFewerOrMore) {
  options_.max_inflight = 30;
  up();
  publish(100);
  EXPECT_EQ(sent(), 30U);
  lost();
  advance(Millis(1'000));
  asked_.events->on_connected(asked_.attempt(), {.receive_maximum = 40});
  loop_->run_due();
  publish(100);
  EXPECT_EQ(sent(), 60U) << "30 of 40";
  lost();
  advance(Millis(2'000));
  asked_.events->on_connected(asked_.attempt(), {.receive_maximum = 5});
  loop_->run_due();
  publish(100);
  EXPECT_EQ(sent(), 65U) << "the server has the last word";
}

TEST_F(ConnectionPublishTest, QosZeroDoesNotWait) {
  up();
  publish(25);
  publish(5, 0);
  EXPECT_EQ(sent(), 25U);
  EXPECT_EQ(asked_.publishes.back().qos, 0);
}

TEST_F(ConnectionPublishTest, WhatHasWaitedTooLongIsToldAndNeverSent) {
  up();
  publish(20, 1, std::chrono::seconds(5));
  publish(1, 1, std::chrono::seconds(5));
  publish(1, 1, std::chrono::seconds(20));
  advance(std::chrono::seconds(4));
  EXPECT_EQ(failed_, 0);
  advance(std::chrono::seconds(2));
  EXPECT_EQ(failed_, 1);
  EXPECT_NE(why_.find("was not sent"), std::string::npos) << why_;
  confirm(0);
  ASSERT_EQ(sent(), 21U);
  EXPECT_EQ(asked_.publishes[20].topic, "t/21");
  EXPECT_EQ(failed_, 1) << "what is in flight is not given up";
}

TEST_F(ConnectionPublishTest, ALostConnectionFailsWhatWaitsTooAndTheNextOneBeginsAnew) {
  up();
  publish(25);
  lost();
  EXPECT_EQ(failed_, 25);
  advance(Millis(1'000));
  connected();
  EXPECT_EQ(sent(), 20U) << "nothing of the old one is left";
  publish(20);
  EXPECT_EQ(sent(), 40U);
  asked_.publishes[0].done({});  // late, and told before
  loop_->run_due();
  publish(1);
  EXPECT_EQ(sent(), 40U) << "it had no place in this window";
  EXPECT_EQ(ok_, 0);
}

TEST_F(ConnectionPublishTest, WhatWaitsIsNotSentIntoALostConnection) {
  up();
  publish(25);
  for (int i = 0; i < 20; ++i)
    asked_.publishes[static_cast<std::size_t>(i)].done(fail("discarded"));
  asked_.events->on_lost(asked_.attempt(), "", -1);
  loop_->run_due();
  EXPECT_EQ(sent(), 20U);
  EXPECT_EQ(failed_, 25);
  EXPECT_EQ(why_, "the connection was lost before the server confirmed it");
  advance(Millis(1'000));
  connected();
  publish(1);
  EXPECT_EQ(sent(), 21U);
}

TEST_F(ConnectionPublishTest, AServerThatConfirmsNothingForAMinuteIsConnectedToAnew) {
  up();
  publish(20);
  advance(std::chrono::seconds(50));
  publish(1, 1, std::chrono::seconds(5));
  EXPECT_TRUE(asked_.disconnects.empty());
  advance(std::chrono::seconds(6));
  EXPECT_EQ(failed_, 1);
  EXPECT_TRUE(asked_.disconnects.empty());
  advance(std::chrono::seconds(10));
  publish(1, 1, std::chrono::seconds(5));
  ASSERT_EQ(asked_.disconnects.size(), 1U);
  disconnected();
  EXPECT_NE(listener_.status().reason.find("confirmed none of 20 messages for 1m"),
            std::string::npos)
      << listener_.status().reason;
  advance(Millis(1'000));
  EXPECT_EQ(asked_.connects.size(), 2U);
}

TEST_F(ConnectionPublishTest, AServerThatConfirmsSlowlyIsLeftInPeace) {
  up();
  publish(30, 1, std::chrono::hours(1));
  for (std::size_t i = 0; i < 10; ++i) {
    advance(std::chrono::seconds(50));
    confirm(i);
  }
  EXPECT_TRUE(asked_.disconnects.empty());
  EXPECT_EQ(sent(), 30U);
  advance(std::chrono::hours(1));
  EXPECT_TRUE(asked_.disconnects.empty()) << "nothing waits for it";
}

TEST_F(ConnectionPublishTest, MoreThanAThousandAreRefused) {
  up();
  publish(1'001);
  EXPECT_EQ(refused_, 1);
  EXPECT_EQ(sent(), 20U);
}

TEST_F(ConnectionPublishTest, WhatTheServerNeverTakesIsToldInWords) {
  up();
  asked_.refuse_publish = true;
  asked_.refuse_publish_code = 0x95;
  publish(1);
  EXPECT_EQ(refused_, 0);
  EXPECT_EQ(failed_, 1);
  EXPECT_EQ(why_, "refused");
  asked_.refuse_publish = false;
  publish(20);
  EXPECT_EQ(sent(), 20U) << "it has left no gap in the window";
}

TEST_F(ConnectionPublishTest, OneThatTheLibraryRefusesWhenItsTurnComesIsTold) {
  up();
  publish(21);
  asked_.refuse_publish = true;
  confirm(0);
  EXPECT_EQ(failed_, 1);
  asked_.refuse_publish = false;
  publish(1);
  EXPECT_EQ(sent(), 21U);
}

}  // namespace
}  // namespace triggerd::mqtt
