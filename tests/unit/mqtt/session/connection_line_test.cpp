// A connection as the line of an outbox.
#include "unit/mqtt/session/connection_fixture.hpp"

namespace triggerd::mqtt {
namespace {

class ConnectionLineTest : public test::FakedConnection {
 protected:
  ConnectionLineTest() {
    options_.servers = {{.host = "one", .port = 1883}};
    options_.keeps_publishes = true;
    resolver_.addresses = {{"one", {"10.0.0.1"}}};
  }
};

// The server may hold packet ids there, and take ours for repetitions.
TEST_F(ConnectionLineTest, ASessionThatNobodyKnowsIsEndedFirst) {
  open();
  connected(true);
  EXPECT_EQ(listener_.line, nullptr);
  disconnected();
  advance(Millis(1'000));
  EXPECT_TRUE(request().clean_session);
  connected(false);
  EXPECT_EQ(listener_.line, nullptr) << "this one ends with its connection";
  disconnected();
  advance(Millis(10'000));
  EXPECT_FALSE(request().clean_session);
  connected(false);
  EXPECT_NE(listener_.line, nullptr);
}

TEST_F(ConnectionLineTest, AWindowOfOneIsTheOnConnectPayloadsFirst) {
  options_.last_will = config::LastWill{.topic = "state", .qos = 2, .on_connect_payload = "up"};
  open();
  asked_.events->on_connected(asked_.attempt(), {.receive_maximum = 1});
  loop_->run_due();
  EXPECT_EQ(listener_.line, nullptr);
  ASSERT_EQ(asked_.publishes.size(), 1U);
  EXPECT_EQ(asked_.publishes[0].qos, 1) << "in a session that is kept";
  asked_.publishes[0].done({});
  loop_->run_due();
  ASSERT_NE(listener_.line, nullptr);
  EXPECT_EQ(listener_.terms.window, 1U);
}

TEST_F(ConnectionLineTest, IsThereFromConnackOnUntilItIsLost) {
  sessions_.kept["edge"] = {};
  open();
  EXPECT_EQ(listener_.line, nullptr);
  asked_.events->on_connected(
      asked_.attempt(), {.session_present = true, .receive_maximum = 7, .limits = {.qos = 1}});
  loop_->run_due();
  ASSERT_NE(listener_.line, nullptr);
  EXPECT_TRUE(listener_.terms.session_present);
  EXPECT_EQ(listener_.terms.window, 7U);
  EXPECT_EQ(listener_.terms.limits.qos, 1);
  EXPECT_TRUE(listener_.line->send("packets", {0}));
  EXPECT_EQ(asked_.sent, std::vector<std::string>{"packets"});
  lost();
  EXPECT_EQ(listener_.line, nullptr);
  EXPECT_EQ(listener_.lines_lost, 1);
}

TEST_F(ConnectionLineTest, TellsAnswersOnlyOfTheConnectionThereIs) {
  open();
  connected();
  asked_.events->on_answers(asked_.attempt(), {{.packet_id = 1}, {.packet_id = 2}});
  asked_.events->on_answers(asked_.attempt() - 1, {{.packet_id = 3}});
  loop_->run_due();
  EXPECT_EQ(listener_.answers, 2U);
}

TEST_F(ConnectionLineTest, EndsBeforeTheOnDisconnectPayload) {
  options_.last_will = config::LastWill{.topic = "state", .on_disconnect_payload = "down"};
  open();
  connected();
  connection_->close([] {});
  loop_->run_due();
  EXPECT_EQ(listener_.line, nullptr);
  EXPECT_EQ(asked_.publishes.size(), 1U);
}

TEST_F(ConnectionLineTest, LeavesThePlaceOfTheOnConnectPayloadInTheWindow) {
  options_.last_will = config::LastWill{.topic = "state", .qos = 1, .on_connect_payload = "up"};
  open();
  asked_.events->on_connected(asked_.attempt(), {.receive_maximum = 7});
  loop_->run_due();
  EXPECT_EQ(listener_.terms.window, 6U);
}

TEST_F(ConnectionLineTest, ConnectsAgainWhereTheLineSaysSo) {
  open();
  connected();
  listener_.line->connect_again("nothing comes back");
  loop_->run_due();
  EXPECT_EQ(asked_.disconnects.size(), 1U);
  EXPECT_EQ(listener_.line, nullptr);
}

TEST_F(ConnectionLineTest, ItsSessionIsRemembered) {
  open();
  connected();
  EXPECT_EQ(sessions_.kept.count("edge"), 1U);
}

TEST_F(ConnectionLineTest, OthersHaveNone) {
  options_.keeps_publishes = false;
  open();
  connected();
  EXPECT_EQ(listener_.line, nullptr);
  EXPECT_EQ(sessions_.kept.count("edge"), 0U);
}

}  // namespace
}  // namespace triggerd::mqtt
