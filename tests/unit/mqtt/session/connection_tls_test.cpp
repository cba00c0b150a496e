// Connection with TLS: what the library gets, and new material while it connects, is up, or waits.
#include "mqtt/tls/material.hpp"
#include "unit/mqtt/session/connection_fixture.hpp"

namespace triggerd::mqtt {
namespace {

using State = ConnectionStatus::State;
using Scheme = config::Server::Scheme;

tls::MaterialPtr material() {
  return std::make_shared<const tls::Material>();
}

class ConnectionTlsTest : public test::FakedConnection {
 protected:
  ConnectionTlsTest() {
    options_.servers = {{.scheme = Scheme::ssl, .host = "one", .port = 8883}};
    options_.tls = current_;
    resolver_.addresses = {{"one", {"10.0.0.1", "10.0.0.2"}}, {"::1", {"::1"}}};
  }
  ~ConnectionTlsTest() override { connection_.reset(); }

  void connected() { FakedConnection::connected(true); }
  void rotate() {
    current_->set(material());
    loop_->run_due();
  }

  const std::shared_ptr<tls::Current> current_ = std::make_shared<tls::Current>(material());
};

TEST_F(ConnectionTlsTest, TheLibraryGetsTheNameAndBesideItEachAddress) {
  open();
  EXPECT_TRUE(request().server.has_tls());
  EXPECT_EQ(request().server.host, "one");
  EXPECT_EQ(request().server.port, 8883);
  EXPECT_EQ(request().address, "10.0.0.1");
  EXPECT_EQ(request().tls, current_->get());
  connect_failed();
  EXPECT_EQ(request().server.host, "one");
  EXPECT_EQ(request().address, "10.0.0.2");
  EXPECT_EQ(resolver_.explained, (std::vector<std::string>{"10.0.0.1"}));
}

TEST_F(ConnectionTlsTest, AnIpv6AddressStandsWithoutBrackets) {
  options_.servers[0].host = "::1";
  open();
  EXPECT_EQ(request().server.host, "::1");
  EXPECT_EQ(request().address, "::1");
  EXPECT_EQ(listener_.status().server, "ssl://[::1]:8883");
}

TEST_F(ConnectionTlsTest, ADotAtTheEndOfANameIsForTheLookup) {
  options_.servers[0].host = "one.";
  resolver_.addresses["one."] = {"10.0.0.1"};
  open();
  EXPECT_EQ(resolver_.resolved, std::vector<std::string>{"one."});
  EXPECT_EQ(request().address, "10.0.0.1");
}

TEST_F(ConnectionTlsTest, AWebSocketHasItsPath) {
  options_.servers = {{.scheme = Scheme::wss, .host = "one", .port = 443, .path = "/mqtt"}};
  open();
  EXPECT_EQ(request().server.scheme, Scheme::wss);
  EXPECT_EQ(request().server.path, "/mqtt");
  EXPECT_EQ(request().address, "10.0.0.1");
}

TEST_F(ConnectionTlsTest, NewMaterialMeansANewConnectionSoon) {
  open();
  connected();
  ASSERT_EQ(listener_.status().state, State::up);
  rotate();
  advance(Millis(999));
  EXPECT_TRUE(asked_.disconnects.empty()) << "spread over reconnect.min";
  advance(Millis(1));
  ASSERT_EQ(asked_.disconnects.size(), 1U);
  EXPECT_TRUE(asked_.unsubscribes.empty()) << "the session stays";
  EXPECT_EQ(asked_.connects.size(), 1U);
  disconnected();
  ASSERT_EQ(asked_.connects.size(), 2U) << "at once";
  EXPECT_EQ(request().tls, current_->get());
  connected();
  EXPECT_EQ(listener_.status().state, State::up);
  EXPECT_TRUE(log_.lines("connection.failed").empty());
}

TEST_F(ConnectionTlsTest, WhatWasPublishedIsConfirmedFirst) {
  open();
  connected();
  const std::uint8_t byte = 1;
  int confirmed = 0;
  ASSERT_TRUE(connection_->publish({.topic = "a", .payload = {&byte, 1}},
                                   [&](const Result<>& outcome) { confirmed += outcome ? 1 : 0; }));
  rotate();
  advance(Millis(1'000));
  advance(Millis(500));
  EXPECT_TRUE(asked_.disconnects.empty());
  asked_.publishes[0].done({});
  advance(Millis(50));
  EXPECT_EQ(asked_.disconnects.size(), 1U);
  EXPECT_EQ(confirmed, 1);
}

TEST_F(ConnectionTlsTest, AServerThatConfirmsNothingIsNotWaitedForForEver) {
  open();
  connected();
  const std::uint8_t byte = 1;
  ASSERT_TRUE(connection_->publish({.topic = "a", .payload = {&byte, 1}}, [](const Result<>&) {}));
  rotate();
  for (int i = 0; i < 61; ++i) advance(Millis(50));
  EXPECT_EQ(asked_.disconnects.size(), 1U);
}

TEST_F(ConnectionTlsTest, AConnectionThatWaitsTriesAgainSooner) {
  resolver_.addresses["one"] = {"10.0.0.1"};
  open();
  for (int i = 0; i < 8; ++i) {
    connect_failed();
    if (i < 7) advance(Millis(60'000));
  }
  ASSERT_EQ(listener_.status().state, State::waiting);
  const std::size_t before = asked_.connects.size();
  rotate();
  advance(Millis(1'000));
  ASSERT_EQ(asked_.connects.size(), before + 1) << "and not after 60 s";
  EXPECT_EQ(request().tls, current_->get());
}

TEST_F(ConnectionTlsTest, MaterialThatComesWhileItConnectsIsTakenAfterwards) {
  open();
  rotate();
  advance(Millis(2'000));
  EXPECT_TRUE(asked_.disconnects.empty());
  connected();
  advance(Millis(50));
  ASSERT_EQ(asked_.disconnects.size(), 1U) << "it had the old one";
  disconnected();
  connected();
  advance(Millis(5'000));
  EXPECT_EQ(asked_.disconnects.size(), 1U) << "and now it has the new one";
}

TEST_F(ConnectionTlsTest, AConnectionThatIsOffStaysOff) {
  open();
  connected();
  connection_->pause("enough");
  loop_->run_due();
  disconnected();
  rotate();
  advance(Millis(5'000));
  EXPECT_EQ(asked_.connects.size(), 1U);
  connection_->resume();
  loop_->run_due();
  EXPECT_EQ(request().tls, current_->get());
}

TEST_F(ConnectionTlsTest, AConnectionThatIsGoneIsNotTold) {
  open();
  connection_.reset();
  rotate();
  advance(Millis(5'000));
  EXPECT_EQ(asked_.connects.size(), 1U);
}

}  // namespace
}  // namespace triggerd::mqtt
