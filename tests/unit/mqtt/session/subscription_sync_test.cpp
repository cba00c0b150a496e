#include "mqtt/session/subscription_sync.hpp"

#include <gtest/gtest.h>

#include "support/capture_log.hpp"
#include "unit/mqtt/session/fakes.hpp"

namespace triggerd::mqtt {
namespace {

class SubscriptionSyncTest : public testing::Test {
 protected:
  static constexpr const char* kServer = "tcp://one:1883";

  SubscriptionSyncTest() {
    options_.client_id = "edge";
    options_.clean_session = false;
    options_.topics = {{"a/#", 1}, {"b", 2}};
    options_.reconnect.max = Millis(60'000);
  }
  SubscriptionSync& begin(bool session_present = false) {
    sync_.emplace(options_, sessions_, fields_);
    lost_ = sync_->begin(kServer, session_present);
    return *sync_;
  }
  void want(int filters) {
    options_.topics.clear();
    for (int i = 0; i < filters; ++i) options_.topics.push_back({fmt::format("t/{}", i), 1});
  }
  static std::vector<std::string> filters(const std::vector<config::Topic>& topics) {
    std::vector<std::string> filters;
    for (const config::Topic& topic : topics) filters.push_back(topic.filter);
    return filters;
  }

  triggerd::test::CaptureLog log_;
  test::FakeSessions sessions_;
  ConnectionOptions options_;
  const ConnectionLog fields_{log_, options_};
  std::optional<SubscriptionSync> sync_;
  bool lost_ = false;
};

TEST_F(SubscriptionSyncTest, AsksForEveryFilterAndKnowsWhatWasGranted) {
  SubscriptionSync& sync = begin();
  EXPECT_FALSE(lost_);
  EXPECT_FALSE(sync.has_stale());
  EXPECT_EQ(sync.grants().size(), 2U);
  EXPECT_EQ(filters(sync.next_subscribe()), (std::vector<std::string>{"a/#", "b"}));
  EXPECT_TRUE(sync.awaits_suback());
  EXPECT_TRUE(sync.subscribed({1, 0}, ""));
  EXPECT_FALSE(sync.awaits_suback());
  EXPECT_TRUE(sync.next_subscribe().empty());
  EXPECT_EQ(sync.grants()[0].granted_qos, 1);
  EXPECT_EQ(sync.grants()[1].granted_qos, 0);
  EXPECT_EQ(sync.refusals(), "");
  EXPECT_NE(log_.last("subscription.lower_qos").find("QoS 0 instead of 2 for \"b\""),
            std::string::npos);
}

TEST_F(SubscriptionSyncTest, TheFiltersAreRememberedBeforeSubscribeLeaves) {
  begin();
  EXPECT_EQ(sessions_.kept["edge"], (std::vector<std::string>{"a/#", "b"}));
}

TEST_F(SubscriptionSyncTest, ASessionThatTheServerWasToKeepAndHasNotIsLost) {
  sessions_.kept["edge"] = {"a/#"};
  begin(false);
  EXPECT_TRUE(lost_);
  EXPECT_EQ(log_.lines("session.lost").size(), 1U);
}

TEST_F(SubscriptionSyncTest, StaleFiltersGoFirstAndAreForgottenOnceTheyAreGone) {
  sessions_.kept["edge"] = {"b", "old/1", "old/2"};
  SubscriptionSync& sync = begin(true);
  EXPECT_FALSE(lost_);
  ASSERT_TRUE(sync.has_stale());
  EXPECT_EQ(sync.next_unsubscribe(), (std::vector<std::string>{"old/1", "old/2"}));
  EXPECT_EQ(sync.unanswered_request(), "asked to drop 2 filters at once");
  EXPECT_EQ(sessions_.kept["edge"].size(), 4U);
  EXPECT_TRUE(sync.unsubscribed({0, 0x87}, "not yours"));
  EXPECT_NE(log_.last("subscription.kept").find("\"old/2\": not authorized"), std::string::npos);
  EXPECT_FALSE(sync.has_stale());
  EXPECT_EQ(sessions_.kept["edge"], (std::vector<std::string>{"a/#", "b"}));
  EXPECT_EQ(sync.unanswered_request(), "");
}

TEST_F(SubscriptionSyncTest, AnAnswerToNothingIsNone) {
  SubscriptionSync& sync = begin();
  EXPECT_FALSE(sync.unsubscribed({}, ""));
  EXPECT_FALSE(sync.awaits_suback());
}

TEST_F(SubscriptionSyncTest, ACleanSessionIsForgottenAndHasNothingStale) {
  options_.clean_session = true;
  sessions_.kept["edge"] = {"old"};
  SubscriptionSync& sync = begin(false);
  EXPECT_FALSE(lost_);
  EXPECT_FALSE(sync.has_stale());
  EXPECT_TRUE(sessions_.kept.empty());
}

TEST_F(SubscriptionSyncTest, ItUnsubscribesFromAllBeforeACleanSessionEnds) {
  options_.clean_session = true;
  SubscriptionSync& sync = begin();
  (void)sync.next_subscribe();
  EXPECT_TRUE(sync.subscribed({1, 2}, ""));
  sync.unsubscribe_from_all();
  EXPECT_EQ(sync.next_unsubscribe(), (std::vector<std::string>{"a/#", "b"}));
  EXPECT_TRUE(sync.unsubscribed({}, ""));
  EXPECT_FALSE(sync.has_stale());
  EXPECT_TRUE(sessions_.kept.empty()) << "there is nothing to remember";
  EXPECT_EQ(log_.lines("subscription.dropped").size(), 1U);
}

TEST_F(SubscriptionSyncTest, ARefusedFilterIsAskedForAgainAndIsNewsOnce) {
  SubscriptionSync& sync = begin();
  (void)sync.next_subscribe();
  EXPECT_TRUE(sync.subscribed({1, 0x80}, ""));
  EXPECT_TRUE(sync.next_subscribe().empty());
  EXPECT_EQ(sync.refusals(), "\"b\"");
  for (int i = 0; i < 2; ++i) {
    sync.retry_refused();
    EXPECT_EQ(filters(sync.next_subscribe()), std::vector<std::string>{"b"});
    EXPECT_TRUE(sync.subscribed({0x80}, ""));
    EXPECT_TRUE(sync.next_subscribe().empty());
  }
  EXPECT_EQ(log_.lines("subscription.refused").size(), 1U);
  sync.retry_refused();
  (void)sync.next_subscribe();
  EXPECT_TRUE(sync.subscribed({2}, ""));
  EXPECT_EQ(sync.refusals(), "");
}

TEST_F(SubscriptionSyncTest, ARefusalWithMqtt5HasItsReason) {
  options_.protocol = config::Protocol::v5;
  SubscriptionSync& sync = begin();
  (void)sync.next_subscribe();
  EXPECT_TRUE(sync.subscribed({1, 0x87}, "ask"));
  EXPECT_EQ(sync.refusals(), "\"b\": not authorized (reason code 0x87): \"ask\"");
}

TEST_F(SubscriptionSyncTest, AnAnswerOfAnotherLengthIsAnError) {
  SubscriptionSync& sync = begin();
  (void)sync.next_subscribe();
  const auto fits = sync.subscribed({1}, "what?");
  ASSERT_FALSE(fits);
  EXPECT_EQ(fits.error().message, "the server answered 2 filters with 1 return codes: what?");
}

TEST_F(SubscriptionSyncTest, APacketHasAsManyFiltersAsTheServerTakesAndOneIdentifier) {
  want(5);
  options_.filters_per_packet = 3;
  for (std::size_t i = 0; i < 5; ++i) options_.topics[i].subscription_id = i < 2 ? 7 : 8;
  SubscriptionSync& sync = begin();
  for (const std::size_t size : {2U, 3U}) {
    EXPECT_EQ(sync.next_subscribe().size(), size);
    EXPECT_TRUE(sync.subscribed(std::vector<int>(size, 1), ""));
  }
  EXPECT_TRUE(sync.next_subscribe().empty());
}

TEST_F(SubscriptionSyncTest, AServerThatEndsTheConnectionInsteadIsAskedForFewer) {
  want(30);
  SubscriptionSync& sync = begin();
  (void)sync.next_subscribe();
  EXPECT_EQ(sync.unanswered_request(), "asked for 30 filters at once");
  EXPECT_FALSE(sync.ask_for_fewer(0x8b)) << "the server is shutting down";
  EXPECT_TRUE(sync.ask_for_fewer(-1));
  EXPECT_EQ(sync.filters_per_packet(), 20U);
  EXPECT_FALSE(sync.begin(kServer, true));
  EXPECT_EQ(sync.next_subscribe().size(), 20U);
}

TEST_F(SubscriptionSyncTest, OfASingleFilterThereAreNoFewer) {
  options_.topics = {{"$share/group/t", 1}};
  SubscriptionSync& sync = begin();
  EXPECT_FALSE(sync.ask_for_fewer(-1)) << "nothing was asked";
  (void)sync.next_subscribe();
  EXPECT_FALSE(sync.ask_for_fewer(-1));
  EXPECT_EQ(sync.unanswered_request(),
            "asked for \"$share/group/t\", as a server without shared subscriptions may do");
}

TEST_F(SubscriptionSyncTest, ThoseRefusedForTheirNumberAreAskedForNext) {
  options_.protocol = config::Protocol::v5;
  want(5);
  SubscriptionSync& sync = begin();
  (void)sync.next_subscribe();
  EXPECT_TRUE(sync.subscribed({1, 1, 0x97, 0x97, 0x97}, ""));
  EXPECT_EQ(sync.filters_per_packet(), 2U);
  EXPECT_EQ(filters(sync.next_subscribe()), (std::vector<std::string>{"t/2", "t/3"}));
  EXPECT_TRUE(log_.lines("subscription.refused").empty());
}

}  // namespace
}  // namespace triggerd::mqtt
