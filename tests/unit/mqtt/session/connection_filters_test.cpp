// A connection to a server that takes only so many filters at once.
#include "unit/mqtt/session/connection_fixture.hpp"

namespace triggerd::mqtt {
namespace {

using State = ConnectionStatus::State;
using test::Asked;
using test::ConnectionTest;

class FewFiltersTest : public ConnectionTest {
 protected:
  void want(int filters) {
    options_.topics.clear();
    for (int i = 0; i < filters; ++i) options_.topics.push_back({fmt::format("t/{}", i), 1});
  }
  std::size_t asked() const { return asked_.subscribes.back().size(); }
  void grant_the_rest() {
    while (!listener_.status().running()) subscribed(std::vector<int>(asked(), 1));
  }
};

TEST_F(FewFiltersTest, AServerThatEndsTheConnectionOverThemIsAskedForFewer) {
  want(30);
  open();
  for (const std::size_t most : {30U, 20U, 10U}) {
    connected();
    EXPECT_EQ(asked(), most);
    lost();
    EXPECT_NE(listener_.status().reason.find(fmt::format("asked for {} filters at once", most)),
              std::string::npos)
        << listener_.status().reason;
    advance(options_.reconnect.min);  // it does not wait longer each time
  }
  connected();
  EXPECT_EQ(asked(), 8U);
  const std::size_t before = asked_.subscribes.size();
  grant_the_rest();
  EXPECT_EQ(asked_.subscribes.size(), before + 3) << "8, 8, 8 and 6";
  lost();
  advance(options_.reconnect.max);
  connected(true);
  EXPECT_EQ(asked(), 8U) << "and it is remembered";
  EXPECT_TRUE(log_.lines("connection.client_id_taken").empty());
}

TEST_F(FewFiltersTest, OneOfMqtt5ThatSaysQuotaExceededToo) {
  options_.protocol = config::Protocol::v5;
  want(9);
  open();
  connected();
  asked_.events->on_lost(asked_.attempt(), "", 0x97);
  loop_->run_due();
  advance(options_.reconnect.min);
  connected();
  EXPECT_EQ(asked(), 8U);
}

TEST_F(FewFiltersTest, AServerThatIsShuttingDownDoesNotMeanTheFilters) {
  options_.protocol = config::Protocol::v5;
  want(9);
  open();
  connected();
  asked_.events->on_lost(asked_.attempt(), "", 0x8b);
  loop_->run_due();
  advance(options_.reconnect.max);
  connected();
  EXPECT_EQ(asked(), 9U);
}

TEST_F(FewFiltersTest, TheFilterThatEndsTheConnectionIsFoundAndNamed) {
  want(2);
  options_.topics.push_back({"$share/group/t", 1});
  open();
  for (int i = 0; i < 20; ++i) {
    connected();
    // Ends the connection whenever that filter is among those asked for.
    while (asked_.subscribes.back().back().filter != "$share/group/t") {
      subscribed(std::vector<int>(asked(), 1));
    }
    lost();
    advance(options_.reconnect.max);
  }
  EXPECT_NE(log_.last("connection.failed").find("asked for \"$share/group/t\""), std::string::npos)
      << log_.last("connection.failed");
}

TEST_F(FewFiltersTest, WhatIsRefusedForItsNumberIsAskedForInSmallerPackets) {
  options_.protocol = config::Protocol::v5;
  want(20);
  open();
  connected();
  std::vector<int> codes(20, 0x97);
  std::fill_n(codes.begin(), 8, 1);
  subscribed(codes);
  EXPECT_EQ(asked(), 8U);
  EXPECT_EQ(asked_.subscribes.back().front().filter, "t/8");
  grant_the_rest();
  EXPECT_EQ(asked_.subscribes.size(), 3U);
  EXPECT_TRUE(log_.lines("subscription.refused").empty());
}

TEST_F(FewFiltersTest, SoAreThoseOfAPacketOfWhichAllAreRefused) {
  want(9);
  open();
  connected();
  subscribed(std::vector<int>(9, 0x80));
  EXPECT_EQ(asked(), 8U);
  subscribed(std::vector<int>(8, 0x80));
  subscribed({1});
  EXPECT_EQ(log_.lines("subscription.refused").size(), 8U) << "few filters are meant themselves";
}

TEST_F(FewFiltersTest, TheConfigurationMaySayHowMany) {
  options_.filters_per_packet = 8;
  want(20);
  sessions_.kept["edge"] = {};
  for (int i = 0; i < 12; ++i) sessions_.kept["edge"].push_back(fmt::format("old/{}", i));
  open();
  connected(true);
  for (const std::size_t count : {8U, 4U}) {
    EXPECT_EQ(asked_.unsubscribes.back().size(), count);
    asked_.events->on_unsubscribed(asked_.attempt(), {}, "");
    loop_->run_due();
  }
  EXPECT_EQ(asked(), 8U);
}

TEST_F(FewFiltersTest, AnUnsubscribeOfTooManyIsMadeSmallerToo) {
  sessions_.kept["edge"] = {};
  for (int i = 0; i < 12; ++i) sessions_.kept["edge"].push_back(fmt::format("old/{}", i));
  open();
  connected(true);
  ASSERT_EQ(asked_.unsubscribes.back().size(), 12U);
  lost();
  EXPECT_NE(listener_.status().reason.find("drop 12 filters at once"), std::string::npos)
      << listener_.status().reason;
  advance(options_.reconnect.min);
  connected(true);
  EXPECT_EQ(asked_.unsubscribes.back().size(), 10U);
}

}  // namespace
}  // namespace triggerd::mqtt
