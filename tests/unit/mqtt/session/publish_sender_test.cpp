#include "mqtt/session/publish_sender.hpp"

#include "unit/mqtt/session/context_fixture.hpp"

namespace triggerd::mqtt {
namespace {

class PublishSenderTest : public test::FakedContext {
 protected:
  PublishSenderTest() : FakedContext(options()) { sender_.use(client_); }
  static ConnectionOptions options() {
    ConnectionOptions options;
    options.last_will = config::LastWill{.topic = "state", .qos = 1};
    return options;
  }
  tl::expected<void, PublishError> publish(const std::string& topic) {
    auto begun = sender_.publish({.topic = topic, .qos = 1}, [this](const Result<>& outcome) {
      told_.push_back(outcome ? "ok" : outcome.error().message);
    });
    loop_->run_due();
    return begun;
  }
  void confirm(std::size_t which) {
    asked_.publishes[which].done({});
    loop_->run_due();
  }

  std::vector<std::string> told_;
  std::vector<std::string> stalled_;
  PublishSender sender_{context_, [this](std::string why) { stalled_.push_back(std::move(why)); }};
};

TEST_F(PublishSenderTest, SendsOnlyWhileConnected) {
  EXPECT_EQ(publish("t").error(), PublishError::not_connected);
  sender_.connected(std::nullopt);
  EXPECT_TRUE(publish("t"));
  EXPECT_FALSE(sender_.idle());
  confirm(0);
  EXPECT_EQ(told_, std::vector<std::string>{"ok"});
  EXPECT_TRUE(sender_.idle());
  sender_.disconnected();
  EXPECT_EQ(publish("t").error(), PublishError::not_connected);
}

TEST_F(PublishSenderTest, WhatTheServerDoesNotTakeYetLeavesInItsOrder) {
  sender_.connected(2);
  for (const char* topic : {"1", "2", "3", "4"}) EXPECT_TRUE(publish(topic));
  ASSERT_EQ(asked_.publishes.size(), 2U);
  confirm(1);
  ASSERT_EQ(asked_.publishes.size(), 3U);
  EXPECT_EQ(asked_.publishes[2].topic, "3");
  confirm(0);
  ASSERT_EQ(asked_.publishes.size(), 4U);
  EXPECT_EQ(asked_.publishes[3].topic, "4");
}

TEST_F(PublishSenderTest, OneThatTheLibraryRefusesIsNotTold) {
  sender_.connected(std::nullopt);
  asked_.refuse_publish = true;
  EXPECT_EQ(publish("t").error(), PublishError::invalid);
  EXPECT_TRUE(told_.empty());
  EXPECT_EQ(log_.lines("publish.refused").size(), 1U);
  EXPECT_TRUE(sender_.idle());
}

TEST_F(PublishSenderTest, OneThatTheServerWillNeverTakeIsToldWhy) {
  sender_.connected(std::nullopt);
  asked_.refuse_publish = true;
  asked_.refuse_publish_code = 0x95;
  EXPECT_TRUE(publish("t"));
  EXPECT_EQ(told_, std::vector<std::string>{"refused"});
}

TEST_F(PublishSenderTest, OneThatTheLibraryRefusesWhenItsTurnComesIsTold) {
  sender_.connected(1);
  EXPECT_TRUE(publish("sent"));
  EXPECT_TRUE(publish("waits"));
  asked_.refuse_publish = true;
  confirm(0);
  EXPECT_EQ(told_, (std::vector<std::string>{"ok", "refused"}));
  EXPECT_TRUE(sender_.idle());
}

TEST_F(PublishSenderTest, OneThatIsRefusedBecauseTheConnectionIsLostIsNotConnected) {
  sender_.connected(std::nullopt);
  asked_.refuse_publish = true;
  asked_.while_publishing = [this] { sender_.disconnected(); };
  EXPECT_EQ(publish("t").error(), PublishError::not_connected);
  EXPECT_TRUE(told_.empty());
  EXPECT_TRUE(log_.lines("publish.refused").empty()) << "the loss is reported, and is the reason";
  EXPECT_TRUE(sender_.idle());
}

TEST_F(PublishSenderTest, OneThatWasToldOfWithTheLossIsNotToldOfAgain) {
  sender_.connected(std::nullopt);
  asked_.refuse_publish = true;
  asked_.while_publishing = [this] {
    sender_.disconnected();
    sender_.fail_all("lost");
  };
  EXPECT_TRUE(publish("t")) << "it has had its answer";
  EXPECT_EQ(told_, std::vector<std::string>{"lost"});
}

TEST_F(PublishSenderTest, WhatWaitsWhenTheConnectionIsLostIsNotSent) {
  sender_.connected(1);
  EXPECT_TRUE(publish("sent"));
  EXPECT_TRUE(publish("waits"));
  sender_.disconnected();
  confirm(0);
  EXPECT_EQ(asked_.publishes.size(), 1U);
  sender_.connected(1);
  EXPECT_TRUE(publish("new"));
  EXPECT_EQ(asked_.publishes.size(), 2U);
  EXPECT_EQ(asked_.publishes[1].topic, "waits") << "it was not told to have failed";
}

TEST_F(PublishSenderTest, AHundredThatWaitAllLeaveInTheirOrder) {
  sender_.connected(1);
  EXPECT_TRUE(publish("sent"));
  for (int i = 0; i < 100; ++i) EXPECT_TRUE(publish(std::to_string(i)));
  sender_.connected(200);
  confirm(0);
  ASSERT_EQ(asked_.publishes.size(), 101U);
  for (int i = 0; i < 100; ++i) {
    EXPECT_EQ(asked_.publishes[static_cast<std::size_t>(i) + 1].topic, std::to_string(i));
  }
}

TEST_F(PublishSenderTest, WhatIsUnderWayWhenTheConnectionEndsFails) {
  sender_.connected(1);
  (void)publish("sent");
  (void)publish("waits");
  sender_.disconnected();
  sender_.fail_waiting("closing");
  EXPECT_EQ(told_, std::vector<std::string>{"closing"});
  sender_.fail_all("lost");
  EXPECT_EQ(told_, (std::vector<std::string>{"closing", "lost"}));
  confirm(0);
  EXPECT_EQ(told_.size(), 2U) << "it was told already";
}

TEST_F(PublishSenderTest, AServerThatConfirmsNothingForAMinuteIsStalled) {
  sender_.connected(1);
  (void)publish("sent");
  for (int second = 0; second < 59; ++second) {
    (void)publish("waits");
    advance(Millis(1'000));
  }
  EXPECT_TRUE(stalled_.empty());
  advance(Millis(1'000));
  ASSERT_FALSE(stalled_.empty());
  EXPECT_EQ(stalled_[0], "it has confirmed none of 1 messages for 1m");
}

TEST_F(PublishSenderTest, WhatWaitsTooLongIsToldSo) {
  sender_.connected(1);
  (void)publish("sent");
  (void)publish("waits");
  for (int second = 0; second < 31; ++second) advance(Millis(1'000));
  ASSERT_EQ(told_.size(), 1U);
  EXPECT_NE(told_[0].find("was not sent"), std::string::npos) << told_[0];
}

TEST_F(PublishSenderTest, APresenceIsToldOfWhateverBecomesOfIt) {
  int told = 0;
  const auto done = [&](const Result<>& outcome) { told += outcome ? 10 : 1; };
  sender_.publish_presence("up", done);
  EXPECT_EQ(told, 1);
  EXPECT_EQ(log_.last("presence.failed"),
            "cannot publish the payload \"up\" to \"state\", the topic of the last will");
  sender_.connected(std::nullopt);
  sender_.publish_presence("up", done);
  ASSERT_EQ(asked_.publishes.size(), 1U);
  EXPECT_EQ(asked_.publishes[0].topic, "state");
  confirm(0);
  EXPECT_EQ(told, 11);
}

}  // namespace
}  // namespace triggerd::mqtt
