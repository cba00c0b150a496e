#include "support/temp_dir.hpp"
#include "unit/mqtt/session/connection_fixture.hpp"

namespace triggerd::mqtt {
namespace {

using State = ConnectionStatus::State;
using test::Asked;
using test::ConnectionTest;

TEST_F(ConnectionTest, ComesUpOnceEveryFilterIsGranted) {
  open();
  EXPECT_EQ(address(), "10.0.0.1");
  EXPECT_EQ(request().server.host, "one");
  EXPECT_EQ(request().server.port, 1883);
  EXPECT_FALSE(request().proxy);
  EXPECT_FALSE(request().clean_session);
  connected();
  ASSERT_EQ(asked_.subscribes.size(), 1U);
  EXPECT_EQ(asked_.subscribes[0].size(), 2U);
  EXPECT_FALSE(listener_.status().running());
  subscribed({1, 2});
  EXPECT_TRUE(listener_.status().running());
  EXPECT_EQ(listener_.status().server, "tcp://one:1883");
  EXPECT_EQ(sessions_.kept["edge"], (std::vector<std::string>{"a/#", "b"}));
}

TEST_F(ConnectionTest, TriesEveryAddressOfEveryServerThenWaitsAndBeginsAtTheFirst) {
  open();
  connect_failed();
  EXPECT_EQ(address(), "::1");
  connect_failed();
  EXPECT_EQ(address(), "10.0.0.2");
  connect_failed();
  EXPECT_EQ(asked_.connects.size(), 3U);
  EXPECT_EQ(resolver_.explained, (std::vector<std::string>{"10.0.0.1", "::1", "10.0.0.2"}));
  EXPECT_EQ(listener_.status().state, State::waiting);
  EXPECT_NE(listener_.status().reason.find("tcp://one:1883: Connection refused"),
            std::string::npos);
  EXPECT_NE(listener_.status().reason.find("tcp://two:1884: Connection refused"),
            std::string::npos);
  advance(Millis(999));
  EXPECT_EQ(asked_.connects.size(), 3U);
  advance(Millis(1));
  ASSERT_EQ(asked_.connects.size(), 4U);
  EXPECT_EQ(address(), "10.0.0.1");
}

TEST_F(ConnectionTest, WaitsLongerAfterEveryFailedRoundUpToTheMaximum) {
  options_.servers.resize(1);
  resolver_.addresses["one"] = {"10.0.0.1"};
  options_.reconnect.max = Millis(4'000);
  open();
  for (const Millis delay : {Millis(1'000), Millis(2'000), Millis(4'000), Millis(4'000)}) {
    const std::size_t before = asked_.connects.size();
    connect_failed();
    advance(delay - Millis(1));
    EXPECT_EQ(asked_.connects.size(), before);
    advance(Millis(1));
    EXPECT_EQ(asked_.connects.size(), before + 1);
  }
}

TEST_F(ConnectionTest, ARefusalNamesItsReasonAndSkipsTheOtherAddresses) {
  open();
  connect_failed(4);
  EXPECT_EQ(address(), "10.0.0.2");
  connect_failed(5);
  EXPECT_NE(listener_.status().reason.find("bad user name or password"), std::string::npos);
  EXPECT_NE(listener_.status().reason.find("not authorized"), std::string::npos);
  EXPECT_TRUE(resolver_.explained.empty());
}

TEST_F(ConnectionTest, ANameThatCannotBeLookedUpIsAReason) {
  resolver_.addresses.clear();
  open();
  EXPECT_TRUE(asked_.connects.empty());
  EXPECT_EQ(listener_.status().state, State::waiting);
  EXPECT_NE(log_.last("connection.failed").find("cannot look up host \"one\""), std::string::npos);
}

TEST_F(ConnectionTest, TheSameFailureIsNewsOnce) {
  resolver_.addresses.clear();
  open();
  advance(Millis(60'000));
  advance(Millis(60'000));
  const auto lines = log_.lines("connection.failed");
  ASSERT_EQ(lines.size(), 3U);
  EXPECT_EQ(lines[0].level, LogLevel::warn);
  EXPECT_EQ(lines[1].level, LogLevel::debug);
  EXPECT_EQ(lines[2].level, LogLevel::debug);
}

TEST_F(ConnectionTest, AConnectThatIsNeverAnsweredIsGivenUp) {
  open();
  advance(Millis(29'999));
  EXPECT_EQ(asked_.given_up, 0U);
  advance(Millis(1));
  EXPECT_EQ(asked_.given_up, 1U);
  connect_failed();  // what the library says of it
  EXPECT_EQ(address(), "::1");
  EXPECT_TRUE(resolver_.explained.empty()) << "the next address does not wait for words";
  for (int i = 0; i < 2; ++i) {
    advance(Millis(30'000));
    connect_failed();
  }
  EXPECT_EQ(asked_.given_up, 3U);
  EXPECT_EQ(resolver_.explained, (std::vector<std::string>{"::1", "10.0.0.2"}))
      << "the last of its server";
  EXPECT_TRUE(asked_.disconnects.empty());
  EXPECT_NE(listener_.status().reason.find("no CONNACK within connection_timeout (30s)"),
            std::string::npos)
      << listener_.status().reason;
}

TEST_F(ConnectionTest, ALibraryThatDoesNotGiveAConnectUpIsLeftBehind) {
  open();
  advance(Millis(30'000));
  EXPECT_EQ(asked_.given_up, 1U);
  EXPECT_EQ(asked_.connects.size(), 1U);
  advance(Millis(10'000));
  EXPECT_EQ(log_.lines("connection.library_silent").size(), 1U);
  EXPECT_EQ(asked_.disconnects.size(), 1U);
  EXPECT_EQ(asked_.connects.size(), 2U);
}

TEST_F(ConnectionTest, WithoutATimeoutItWaitsForEver) {
  options_.connection_timeout.reset();
  open();
  advance(std::chrono::duration_cast<Millis>(std::chrono::hours(1000)));
  EXPECT_EQ(asked_.connects.size(), 1U);
  EXPECT_EQ(listener_.status().state, State::connecting);
}

TEST_F(ConnectionTest, ASessionTheServerForgotIsReported) {
  sessions_.kept["edge"] = {"a/#", "b"};
  open();
  connected(false);
  EXPECT_EQ(log_.lines("session.lost").size(), 1U);
}

TEST_F(ConnectionTest, AResumedSessionIsNotReportedAndLosesItsStaleFilters) {
  sessions_.kept["edge"] = {"a/#", "gone/1", "gone/2"};
  open();
  connected(true);
  EXPECT_TRUE(log_.lines("session.lost").empty());
  ASSERT_EQ(asked_.unsubscribes.size(), 1U);
  EXPECT_EQ(asked_.unsubscribes[0], (std::vector<std::string>{"gone/1", "gone/2"}));
  EXPECT_TRUE(asked_.subscribes.empty());
  EXPECT_EQ(sessions_.kept["edge"].size(), 4U) << "nothing is forgotten before UNSUBACK";
  asked_.events->on_unsubscribed(asked_.attempt(), {}, "");
  loop_->run_due();
  EXPECT_EQ(sessions_.kept["edge"], (std::vector<std::string>{"a/#", "b"}));
  EXPECT_EQ(asked_.subscribes.size(), 1U);
}

TEST_F(ConnectionTest, ManyFiltersGoInPacketsOfAHundred) {
  options_.topics.clear();
  for (int i = 0; i < 250; ++i) options_.topics.push_back({fmt::format("t/{}", i), 1});
  open();
  connected();
  subscribed(std::vector<int>(100, 1));
  subscribed(std::vector<int>(100, 1));
  EXPECT_FALSE(listener_.status().running());
  subscribed(std::vector<int>(50, 1));
  EXPECT_EQ(asked_.subscribes.size(), 3U);
  EXPECT_EQ(asked_.subscribes[2][0].filter, "t/200");
  EXPECT_TRUE(listener_.status().running());
}

TEST_F(ConnectionTest, ACleanSessionIsNotRemembered) {
  options_.clean_session = true;
  sessions_.kept["edge"] = {"a/#"};
  open();
  connected(false);
  EXPECT_TRUE(sessions_.kept.empty());
  EXPECT_TRUE(log_.lines("session.lost").empty());
}

TEST_F(ConnectionTest, ALowerQosIsReportedAndRuns) {
  open();
  connected();
  subscribed({1, 0});
  EXPECT_TRUE(listener_.status().running());
  EXPECT_NE(log_.last("subscription.lower_qos").find("QoS 0 instead of 2 for \"b\""),
            std::string::npos);
  EXPECT_EQ(listener_.status().grants[1].granted_qos, 0);
}

TEST_F(ConnectionTest, ARefusedFilterDoesNotRunAndIsAskedForAgain) {
  open();
  connected();
  subscribed({1, 0x80});
  EXPECT_EQ(listener_.status().state, State::up);
  EXPECT_FALSE(listener_.status().running());
  EXPECT_NE(listener_.status().reason.find("refused the subscription to \"b\""), std::string::npos);
  advance(Millis(60'000));
  ASSERT_EQ(asked_.subscribes.size(), 2U);
  ASSERT_EQ(asked_.subscribes[1].size(), 1U);
  EXPECT_EQ(asked_.subscribes[1][0].filter, "b");
  subscribed({0x80});
  EXPECT_EQ(log_.lines("subscription.refused").size(), 1U) << "the same refusal is news once";
  advance(Millis(60'000));
  subscribed({2});
  EXPECT_TRUE(listener_.status().running());
  EXPECT_TRUE(listener_.status().reason.empty());
}

TEST_F(ConnectionTest, ASubackThatNeverComesOrDoesNotFitEndsTheConnectionWithAWait) {
  open();
  connected();
  advance(Millis(30'000));
  ASSERT_EQ(asked_.disconnects.size(), 1U);
  disconnected();
  EXPECT_EQ(listener_.status().state, State::waiting);
  EXPECT_NE(listener_.status().reason.find("no SUBACK within 30s"), std::string::npos);
  advance(Millis(1'000));
  connected();
  subscribed({1});
  disconnected();
  EXPECT_EQ(listener_.status().state, State::waiting);
  EXPECT_NE(listener_.status().reason.find("2 filters with 1 return codes"), std::string::npos);
}

TEST_F(ConnectionTest, ALostConnectionComesBack) {
  up();
  advance(Millis(60'000));
  lost();
  EXPECT_EQ(listener_.status().state, State::waiting);
  advance(Millis(1'000));
  EXPECT_EQ(asked_.connects.size(), 2U);
  connected(true);
  subscribed({1, 2});
  EXPECT_TRUE(listener_.status().running());
}

TEST_F(ConnectionTest, SessionsThatLastAreNoSignOfATakenClientId) {
  up();
  for (int i = 0; i < 5; ++i) {
    advance(Millis(31'000));
    lost();
    advance(Millis(1'000));
    connected(true);
    subscribed({1, 2});
  }
  EXPECT_TRUE(log_.lines("connection.client_id_taken").empty());
}

TEST_F(ConnectionTest, AnswersToAnEarlierAttemptAreIgnored) {
  up();
  const ConnectAttempt old = asked_.attempt();
  lost();
  advance(Millis(1'000));
  asked_.events->on_lost(old, "", -1);
  asked_.events->on_subscribed(old, {1, 2}, "");
  loop_->run_due();
  EXPECT_EQ(listener_.status().state, State::connecting);
  asked_.events->on_connected(old, {.session_present = true});
  loop_->run_due();
  EXPECT_EQ(listener_.status().state, State::connecting);
  EXPECT_EQ(asked_.disconnects, std::vector<ConnectAttempt>{old})
      << "nobody waits for that connection";
}

TEST_F(ConnectionTest, PauseKeepsTheSessionAndResumeComesBackAtOnce) {
  up();
  connection_->pause("full");
  loop_->run_due();
  EXPECT_EQ(asked_.disconnects.size(), 1U);
  EXPECT_TRUE(asked_.unsubscribes.empty());
  connection_->resume();
  loop_->run_due();
  EXPECT_EQ(asked_.connects.size(), 1U) << "not before the library is done disconnecting";
  disconnected();
  EXPECT_EQ(asked_.connects.size(), 2U);
}

TEST_F(ConnectionTest, OneThatStaysAwayIsToldOfFromTimeToTime) {
  resolver_.addresses.clear();
  open();
  const auto warnings = [this] {
    const auto lines = log_.lines("connection.failed");
    return std::count_if(lines.begin(), lines.end(),
                         [](const auto& line) { return line.level == LogLevel::warn; });
  };
  EXPECT_EQ(warnings(), 1);
  for (int minute = 0; minute < 4; ++minute) advance(std::chrono::minutes(1));
  EXPECT_EQ(warnings(), 1);
  for (int minute = 0; minute < 7; ++minute) advance(std::chrono::minutes(1));
  EXPECT_EQ(warnings(), 3);
  EXPECT_NE(log_.last("connection.failed").find("; not connected for 1"), std::string::npos)
      << log_.last("connection.failed");
}

TEST_F(ConnectionTest, PausedWhileConnectingItDisconnectsAsSoonAsItCan) {
  open();
  connection_->pause("full");
  loop_->run_due();
  EXPECT_TRUE(asked_.disconnects.empty());
  connected();
  EXPECT_EQ(asked_.disconnects.size(), 1U);
  disconnected();
  EXPECT_EQ(listener_.status().state, State::off);
  EXPECT_TRUE(asked_.subscribes.empty());
}

TEST_F(ConnectionTest, PausedWhileWaitingItStaysAway) {
  resolver_.addresses.clear();
  open();
  connection_->pause("full");
  loop_->run_due();
  EXPECT_EQ(listener_.status().state, State::off);
  const std::size_t rounds = log_.lines("connection.failed").size();
  advance(Millis(600'000));
  EXPECT_EQ(log_.lines("connection.failed").size(), rounds);
}

class PresenceTest : public ConnectionTest {
 protected:
  PresenceTest() {
    options_.topics.clear();
    options_.clean_session = true;
    options_.last_will = config::LastWill{.topic = "state",
                                          .qos = 1,
                                          .retained = true,
                                          .payload = "lost",
                                          .on_connect_payload = "up",
                                          .on_disconnect_payload = "down"};
  }
  void close() {
    connection_->close([this] { ++closed_; });
    loop_->run_due();
  }
  int closed_ = 0;
};

TEST_F(PresenceTest, SaysUpWhenConnectedAndDownBeforeADisconnect) {
  open();
  EXPECT_EQ(asked_.connects[0].request.last_will->payload, "lost");
  connected();
  ASSERT_EQ(asked_.publishes.size(), 1U);
  EXPECT_EQ(asked_.publishes[0].topic, "state");
  EXPECT_EQ(asked_.publishes[0].payload, "up");
  EXPECT_TRUE(asked_.publishes[0].retained);
  EXPECT_TRUE(listener_.status().running());
  close();
  ASSERT_EQ(asked_.publishes.size(), 2U);
  EXPECT_EQ(asked_.publishes[1].payload, "down");
  EXPECT_TRUE(asked_.disconnects.empty()) << "the server has not confirmed it yet";
  asked_.publishes[1].done({});
  loop_->run_due();
  EXPECT_EQ(asked_.disconnects.size(), 1U);
  EXPECT_EQ(closed_, 0);
  disconnected();
  EXPECT_EQ(closed_, 1);
}

TEST_F(PresenceTest, TheLastWillMayBeOffByItself) {
  options_.last_will->enabled = false;
  open();
  EXPECT_FALSE(asked_.connects[0].request.last_will);
  connected();
  ASSERT_EQ(asked_.publishes.size(), 1U);
  EXPECT_EQ(asked_.publishes[0].payload, "up");
  close();
  ASSERT_EQ(asked_.publishes.size(), 2U);
  EXPECT_EQ(asked_.publishes[1].payload, "down");
}

TEST_F(PresenceTest, ClosingEndsEvenWhereTheServerAnswersNothing) {
  open();
  connected();
  close();
  advance(Millis(1'000));
  EXPECT_EQ(asked_.disconnects.size(), 1U);
  advance(Millis(1'000));
  EXPECT_EQ(closed_, 1);
}

TEST_F(PresenceTest, ClosingWhileConnectingOrWaitingEndsToo) {
  open();
  close();
  advance(Millis(1'000));
  EXPECT_EQ(closed_, 1);
  close();
  EXPECT_EQ(closed_, 2) << "closing twice tells both";
}

TEST_F(PresenceTest, ClosingWhatWasNeverOpenedEnds) {
  resolver_.addresses.clear();
  open();
  close();
  EXPECT_EQ(closed_, 1);
  advance(Millis(600'000));
  EXPECT_TRUE(asked_.connects.empty());
}

TEST_F(PresenceTest, PublishesOnlyWhileConnected) {
  open();
  int told = 0;
  const PublishRequest request{.topic = "t"};
  EXPECT_EQ(connection_->publish(request, [&](const Result<>&) { ++told; }).error(),
            PublishError::not_connected);
  connected();
  ASSERT_TRUE(connection_->publish(request, [&](const Result<>& r) { told += r ? 10 : 100; }));
  lost();
  EXPECT_EQ(told, 100) << "a lost connection is an answer";
  asked_.publishes.back().done({});
  EXPECT_EQ(told, 100) << "and it stays the only one";
}

TEST_F(PresenceTest, APublishTheLibraryRefusesIsNotTold) {
  open();
  connected();
  asked_.refuse_publish = true;
  int told = 0;
  EXPECT_EQ(connection_->publish({.topic = "t"}, [&](const Result<>&) { ++told; }).error(),
            PublishError::invalid);
  lost();
  EXPECT_EQ(told, 0);
}

TEST_F(ConnectionTest, AMessageOverTheSizeLimitIsRefusedAndNamed) {
  up();
  asked_.messages->on_message(Message{.topic = "small"});
  asked_.events->on_too_large(Message{.topic = "large"}, 205);
  EXPECT_EQ(listener_.topics, std::vector<std::string>{"small"});
  EXPECT_EQ(listener_.refused, std::vector<std::string>{"large"});
  EXPECT_NE(log_.last("message.refused").find("\"large\" has 205 bytes"), std::string::npos);
}

// ---- MQTT 5 ----

TEST_F(ConnectionTest, ARefusalOfMqtt5IsToldWithItsReason) {
  options_.protocol = config::Protocol::v5;
  open();
  asked_.events->on_connect_failed(asked_.attempt(), 0x87, "ask the plant's office");
  loop_->run_due();
  EXPECT_EQ(address(), "10.0.0.2") << "the server has spoken: the next one";
  asked_.events->on_connect_failed(asked_.attempt(), 1, "");
  loop_->run_due();
  const std::string& reason = listener_.status().reason;
  EXPECT_NE(reason.find("not authorized (reason code 0x87): \"ask the plant's office\""),
            std::string::npos)
      << reason;
  EXPECT_NE(reason.find("does not speak MQTT 5 (return code 1)"), std::string::npos) << reason;
}

TEST_F(ConnectionTest, ARefusedFilterIsToldWithItsReason) {
  options_.protocol = config::Protocol::v5;
  open();
  connected();
  asked_.events->on_subscribed(asked_.attempt(), {1, 0x9e}, "buy the other edition");
  loop_->run_due();
  EXPECT_EQ(
      listener_.status().reason,
      "tcp://one:1883 refused the subscription to \"b\": it does not support shared subscriptions "
      "(reason code 0x9e): \"buy the other edition\"");
  EXPECT_NE(log_.last("subscription.refused").find("0x9e"), std::string::npos);
}

TEST_F(ConnectionTest, AFilterThatTheServerKeepsIsTold) {
  options_.protocol = config::Protocol::v5;
  sessions_.kept["edge"] = {"a/#", "b", "old"};
  open();
  connected(true);
  ASSERT_EQ(asked_.unsubscribes.size(), 1U);
  asked_.events->on_unsubscribed(asked_.attempt(), {0x87}, "not yours");
  loop_->run_due();
  EXPECT_NE(log_.last("subscription.kept").find("\"old\": not authorized"), std::string::npos);
  EXPECT_EQ(asked_.subscribes.size(), 1U) << "it goes on all the same";
}

TEST_F(ConnectionTest, TheServersReasonForTheEndIsTold) {
  options_.protocol = config::Protocol::v5;
  up();
  asked_.events->on_lost(asked_.attempt(), "see you at six", 0x8b);
  loop_->run_due();
  EXPECT_EQ(listener_.status().reason,
            "tcp://one:1883: connection closed: the server is shutting down (reason code 0x8b): "
            "\"see you at six\"");
}

TEST_F(ConnectionTest, ASessionTakenOverIsNotFoughtFor) {
  options_.protocol = config::Protocol::v5;
  up();
  advance(Millis(3'600'000));  // not soon after it began: only the reason code says it
  asked_.events->on_lost(asked_.attempt(), "", 0x8e);
  loop_->run_due();
  EXPECT_NE(log_.last("connection.client_id_taken").find("client id \"edge\""), std::string::npos);
  advance(options_.reconnect.max - Millis(1));
  EXPECT_EQ(asked_.connects.size(), 1U);
  advance(Millis(1));
  EXPECT_EQ(asked_.connects.size(), 2U);
}

TEST_F(ConnectionTest, ConnectsAgainWithTheKeepAliveThatTheServerWants) {
  options_.protocol = config::Protocol::v5;
  open();
  const ConnAck connack{.session_present = true, .keep_alive = std::chrono::seconds(20)};
  asked_.events->on_connected(asked_.attempt(), connack);
  loop_->run_due();
  EXPECT_TRUE(asked_.subscribes.empty());
  ASSERT_EQ(asked_.disconnects.size(), 1U);
  disconnected();
  advance(options_.reconnect.max);
  ASSERT_EQ(asked_.connects.size(), 2U);
  EXPECT_EQ(asked_.connects[1].request.keep_alive, Millis(20'000));
  asked_.events->on_connected(asked_.attempt(), connack);
  loop_->run_due();
  EXPECT_EQ(asked_.subscribes.size(), 1U) << "once is enough";
}

TEST_F(ConnectionTest, AShorterSessionIsAWarning) {
  options_.protocol = config::Protocol::v5;
  options_.session_expiry = std::chrono::hours(24);
  open();
  asked_.events->on_connected(asked_.attempt(), {.session_expiry = std::chrono::hours(1)});
  loop_->run_due();
  EXPECT_EQ(asked_.connects[0].request.session_expiry, std::chrono::hours(24));
  EXPECT_NE(log_.last("session.shorter").find("for 1h instead of 1d"), std::string::npos)
      << log_.last("session.shorter");
}

TEST_F(ConnectionTest, FiltersWithDifferentIdentifiersAreAskedForInPacketsOfTheirOwn) {
  options_.protocol = config::Protocol::v5;
  options_.topics = {{.filter = "a"},
                     {.filter = "b"},
                     {.filter = "c", .subscription_id = 7},
                     {.filter = "d", .subscription_id = 7},
                     {.filter = "e"}};
  open();
  connected();
  ASSERT_EQ(asked_.subscribes.size(), 1U);
  EXPECT_EQ(asked_.subscribes[0].size(), 2U);
  subscribed({1, 1});
  ASSERT_EQ(asked_.subscribes.size(), 2U);
  EXPECT_EQ(asked_.subscribes[1].size(), 2U);
  EXPECT_EQ(asked_.subscribes[1][0].filter, "c");
  subscribed({1, 1});
  subscribed({1});
  ASSERT_EQ(asked_.subscribes.size(), 3U);
  EXPECT_TRUE(listener_.status().running());
}

TEST_F(ConnectionTest, WhatBecomesOfQos2AndOfTheSessionIsPassedOnAtOnce) {
  open();
  asked_.messages->on_session_lost();
  EXPECT_EQ(listener_.sessions_lost, 1) << "before the first message, on the thread that brings it";
  asked_.messages->on_pubrel(7, {});
  EXPECT_EQ(listener_.pubrels, std::vector<std::uint16_t>{7});
}

}  // namespace
}  // namespace triggerd::mqtt
