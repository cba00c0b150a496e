// What becomes of what services publish, with a scripted server.
#include "trigger/publisher.hpp"

#include <trigger/plugin.h>

#include "unit/mqtt/session/connection_fixture.hpp"

namespace triggerd::trigger {
namespace {

class PublisherTest : public mqtt::test::FakedConnection {
 protected:
  PublisherTest() {
    options_.servers = {{.host = "one", .port = 1883}};
    resolver_.addresses = {{"one", {"10.0.0.1"}}};
  }
  void up() {
    open();
    connected();
    publisher_.add("plant", connection_);
  }
  std::int32_t publish(mqtt::PublishRequest request, std::string_view alias = "plant") {
    const std::int32_t code = publisher_.publish(
        alias, request, [this](const Result<>& outcome) { outcomes_.push_back(outcome); });
    loop_->run_due();
    return code;
  }
  std::pair<std::uint64_t, std::uint64_t> counts() const {
    const Publisher::Counts counts = publisher_.counts("plant");
    return {counts.ok, counts.failed};
  }
  using Counts = std::pair<std::uint64_t, std::uint64_t>;

  Publisher publisher_;
  std::vector<Result<>> outcomes_;
};

TEST_F(PublisherTest, PublishesOnTheAliasAndTellsOnceTheServerHasIt) {
  up();
  EXPECT_EQ(publish({.topic = "a"}), TRIGGER_OK);
  ASSERT_EQ(asked_.publishes.size(), 1u);
  EXPECT_TRUE(outcomes_.empty());
  EXPECT_EQ(counts(), Counts(0, 0));
  asked_.publishes[0].done({});
  ASSERT_EQ(outcomes_.size(), 1u);
  EXPECT_TRUE(outcomes_[0]);
  EXPECT_EQ(counts(), Counts(1, 0));
}

TEST_F(PublisherTest, WhatTheServerRefusesIsCountedAsFailed) {
  up();
  EXPECT_EQ(publish({.topic = "a"}), TRIGGER_OK);
  ASSERT_EQ(asked_.publishes.size(), 1u);
  asked_.publishes[0].done(fail("not authorized"));
  ASSERT_EQ(outcomes_.size(), 1u);
  EXPECT_FALSE(outcomes_[0]);
  EXPECT_EQ(counts(), Counts(0, 1));
}

TEST_F(PublisherTest, AnUnknownAliasIsNotFound) {
  EXPECT_EQ(publish({.topic = "a"}, "nowhere"), TRIGGER_E_NOT_FOUND);
  up();
  EXPECT_EQ(publish({.topic = "a"}, "plant2"), TRIGGER_E_NOT_FOUND);
  EXPECT_TRUE(outcomes_.empty()) << "the code says it all";
}

TEST_F(PublisherTest, InvalidRequestsDoNotReachTheServer) {
  up();
  const std::vector<mqtt::PublishRequest> invalid{{.topic = ""},
                                                  {.topic = "a/#"},
                                                  {.topic = "a/+"},
                                                  {.topic = std::string_view("a\0b", 3)},
                                                  {.topic = "a", .qos = 3},
                                                  {.topic = "a", .qos = -1}};
  for (const mqtt::PublishRequest& request : invalid) {
    EXPECT_EQ(publish(request), TRIGGER_E_INVALID) << request.topic << ' ' << request.qos;
  }
  const std::vector<mqtt::Property> properties{{.id = 0x26, .name = "k", .value = "v"}};
  EXPECT_EQ(publish({.topic = "a", .properties = properties}), TRIGGER_E_UNSUPPORTED)
      << "3.1.1 has no properties";
  EXPECT_TRUE(asked_.publishes.empty());
  EXPECT_EQ(counts(), Counts(0, invalid.size() + 1));
}

TEST_F(PublisherTest, WithMqtt5PropertiesAreChecked) {
  options_.protocol = config::Protocol::v5;
  up();
  EXPECT_TRUE(publisher_.speaks_mqtt5("plant"));
  const std::vector<mqtt::Property> good{{.id = 0x26, .name = "k", .value = "v"}};
  EXPECT_EQ(publish({.topic = "a", .properties = good}), TRIGGER_OK);
  const std::vector<mqtt::Property> bad{{.id = 0x7f, .name = "", .value = "v"}};
  EXPECT_EQ(publish({.topic = "a", .properties = bad}), TRIGGER_E_INVALID);
  EXPECT_EQ(asked_.publishes.size(), 1u);
}

TEST_F(PublisherTest, WithoutAConnectionItSaysSo) {
  open();
  publisher_.add("plant", connection_);
  EXPECT_EQ(publish({.topic = "a"}), TRIGGER_E_NOT_CONNECTED);
  EXPECT_EQ(counts(), Counts(0, 1));
}

TEST_F(PublisherTest, WhatTheLibraryDoesNotTakeIsInvalid) {
  up();
  asked_.refuse_publish = true;
  EXPECT_EQ(publish({.topic = "a"}), TRIGGER_E_INVALID);
  EXPECT_TRUE(outcomes_.empty());
  EXPECT_EQ(counts(), Counts(0, 1));
}

TEST_F(PublisherTest, AServerThatConfirmsNothingFillsThePlaces) {
  up();
  std::uint64_t taken = 0;
  while (taken < 100'000 && publish({.topic = "a"}) == TRIGGER_OK) ++taken;
  EXPECT_EQ(publish({.topic = "a"}), TRIGGER_E_FULL);
  EXPECT_EQ(counts(), Counts(0, 2));
  asked_.publishes[0].done({});
  loop_->run_due();
  EXPECT_EQ(publish({.topic = "a"}), TRIGGER_OK) << "there is a place again";
}

TEST_F(PublisherTest, CountsOfAnAliasThatGoesAndComesBackGoOn) {
  up();
  EXPECT_EQ(publish({.topic = "a"}), TRIGGER_OK);
  publisher_.remove("plant");
  EXPECT_EQ(publish({.topic = "a"}), TRIGGER_E_NOT_FOUND);
  EXPECT_FALSE(publisher_.speaks_mqtt5("plant"));
  // The answer to what was published before it went.
  asked_.publishes[0].done({});
  publisher_.add("plant", connection_);
  EXPECT_EQ(counts(), Counts(1, 0));
  EXPECT_EQ(publish({.topic = "b"}), TRIGGER_OK);
}

}  // namespace
}  // namespace triggerd::trigger
