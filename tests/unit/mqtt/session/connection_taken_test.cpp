// A client id that another client uses, and what looks like it.
#include "unit/mqtt/session/connection_fixture.hpp"

namespace triggerd::mqtt {
namespace {

using State = ConnectionStatus::State;
using test::Asked;
using test::ConnectionTest;

class TakenTest : public ConnectionTest {
 protected:
  void one_short_session() {
    lost();
    advance(options_.reconnect.max);
    connected(true);
    subscribed({1, 2});
  }
  bool named() const { return !log_.lines("connection.client_id_taken").empty(); }
  static constexpr const char* kServer = "tcp://one:1883";
};

TEST_F(TakenTest, ATakenClientIdIsNamedAndNotFoughtFor) {
  losses_->connected(kServer);  // another connection, which stays
  up();
  one_short_session();
  one_short_session();
  EXPECT_FALSE(named());
  lost();
  EXPECT_NE(log_.last("connection.client_id_taken").find("client id \"edge\""), std::string::npos);
  const std::size_t before = asked_.connects.size();
  advance(Millis(59'999));
  EXPECT_EQ(asked_.connects.size(), before);
  advance(Millis(1));
  EXPECT_EQ(asked_.connects.size(), before + 1);
}

TEST_F(TakenTest, OneThatIsLostAgainAtOnceIsStillOne) {
  losses_->connected(kServer);
  options_.reconnect = {Millis(10), Millis(50), 2.0};
  up();
  one_short_session();
  one_short_session();
  lost();
  EXPECT_TRUE(named());
}

TEST_F(TakenTest, ALonelyConnectionIsMorePatient) {
  up();
  for (int i = 0; i < 5; ++i) one_short_session();
  EXPECT_FALSE(named());
  lost();
  EXPECT_TRUE(named());
}

TEST_F(TakenTest, AServerThatEndsAllConnectionsIsMeant) {
  up();
  for (int i = 0; i < 10; ++i) {
    losses_->connected(kServer);
    lost();
    (void)losses_->lost(kServer, "other", clock_.now() + Millis(100));
    advance(options_.reconnect.min);  // and waits no longer each time
    connected(true);
    subscribed({1, 2});
  }
  EXPECT_FALSE(named());
}

TEST_F(TakenTest, SoIsOneThatCannotBeConnectedToInBetween) {
  losses_->connected(kServer);
  options_.servers.resize(1);
  resolver_.addresses = {{"one", {"10.0.0.1"}}};
  up();
  for (int i = 0; i < 10; ++i) {
    lost();
    advance(options_.reconnect.max);
    connect_failed();
    advance(options_.reconnect.max);
    connected(true);
    subscribed({1, 2});
  }
  EXPECT_FALSE(named());
}

TEST_F(TakenTest, OneOfMqtt5WouldHaveSaidSo) {
  losses_->connected(kServer);
  options_.protocol = config::Protocol::v5;
  up();
  for (int i = 0; i < 10; ++i) one_short_session();
  EXPECT_FALSE(named());
}

TEST_F(TakenTest, WhatEndedLaterIsAnotherMatter) {
  losses_->connected(kServer);
  losses_->connected(kServer);
  up();
  for (int i = 0; i < 2; ++i) {
    lost();
    (void)losses_->lost(kServer, "other", clock_.now() + Millis(501));
    losses_->connected(kServer);
    advance(options_.reconnect.max);
    connected(true);
    subscribed({1, 2});
  }
  lost();
  EXPECT_TRUE(named());
}

}  // namespace
}  // namespace triggerd::mqtt
