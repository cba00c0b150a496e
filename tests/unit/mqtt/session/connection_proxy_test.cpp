// Connection through a proxy: what is looked up, what the library gets, and what is said.
#include "support/temp_dir.hpp"
#include "unit/mqtt/session/connection_fixture.hpp"

namespace triggerd::mqtt {
namespace {

using Scheme = config::Server::Scheme;

class ConnectionProxyTest : public test::FakedConnection {
 protected:
  ConnectionProxyTest() {
    options_.servers = {{.host = "one", .port = 1883}};
    options_.proxy = config::Proxy{.scheme = config::Proxy::Scheme::socks5,
                                   .host = "proxy",
                                   .port = 1080,
                                   .user_name = "edge",
                                   .password = config::Secret("hunter2")};
    // The name of the server is none here.
    resolver_.addresses = {{"proxy", {"10.0.0.8", "10.0.0.9"}}};
  }
  ~ConnectionProxyTest() override { connection_.reset(); }
};

TEST_F(ConnectionProxyTest, TheLibraryGetsTheServerAndTheAddressOfTheProxy) {
  for (const config::Server& server : std::initializer_list<config::Server>{
           {.host = "one", .port = 1883},
           {.scheme = Scheme::ws, .host = "one", .port = 80, .path = "/mqtt"},
           {.scheme = Scheme::ssl, .host = "one", .port = 8883},
           {.host = "::1", .port = 1}}) {
    options_.servers = {server};
    open();
    EXPECT_EQ(config::to_string(request().server), config::to_string(server));
    EXPECT_EQ(request().address, "10.0.0.8");
    ASSERT_TRUE(request().proxy);
    EXPECT_EQ(config::to_string(*request().proxy), "socks5://proxy:1080");
    EXPECT_EQ(request().proxy->password.reveal(), "hunter2");
    EXPECT_EQ(resolver_.resolved.back(), "proxy") << "the server's name is the proxy's to look up";
    connection_.reset();
  }
}

TEST_F(ConnectionProxyTest, WithoutOneNothingIsSaidOfIt) {
  options_.proxy.reset();
  resolver_.addresses = {{"one", {"10.0.0.1"}}};
  open();
  EXPECT_EQ(request().address, "10.0.0.1");
  EXPECT_FALSE(request().proxy);
  connect_failed();
  EXPECT_FALSE(resolver_.explained_proxy);
  EXPECT_EQ(listener_.status().reason, "tcp://one:1883: Connection refused");
}

TEST_F(ConnectionProxyTest, EachAddressOfTheProxyIsTriedAndAFailureNamesBoth) {
  open();
  connect_failed();
  EXPECT_EQ(request().address, "10.0.0.9");
  ASSERT_TRUE(resolver_.explained_proxy);
  EXPECT_EQ(resolver_.explained_proxy->host, "proxy");
  connect_failed();
  EXPECT_EQ(
      listener_.status().reason,
      "tcp://one:1883 through socks5://proxy:1080: Connection refused; tcp://one:1883 through "
      "socks5://proxy:1080: Connection refused");
}

TEST_F(ConnectionProxyTest, WhatTheProxyRefusesIsSaidOnce) {
  open();
  asked_.events->on_connect_failed(asked_.attempt(), kNotTaken, "the proxy wants a user name");
  loop_->run_due();
  EXPECT_EQ(listener_.status().reason,
            "tcp://one:1883 through socks5://proxy:1080: the proxy wants a user name");
  EXPECT_EQ(asked_.connects.size(), 1U) << "its other address would say the same";
  EXPECT_TRUE(resolver_.explained.empty()) << "it is not asked again";
}

TEST_F(ConnectionProxyTest, AProxyWithoutAnAddressIsNamed) {
  resolver_.addresses = {{"one", {"10.0.0.1"}}};
  open();
  EXPECT_TRUE(asked_.connects.empty());
  EXPECT_EQ(listener_.status().reason,
            "tcp://one:1883 through socks5://proxy:1080: cannot look up host \"proxy\": no such "
            "host");
}

TEST_F(ConnectionProxyTest, ALineSaysWhichWayItIsConnected) {
  open();
  connected();
  EXPECT_NE(log_.last("connection.up")
                .find("connected to tcp://one:1883 through "
                      "socks5://proxy:1080"),
            std::string::npos);
  EXPECT_EQ(listener_.status().server, "tcp://one:1883") << "the session is the server's";
}

TEST_F(ConnectionProxyTest, APasswordInAFileIsReadForEachConnectAndAChangeIsNotWaitedFor) {
  const triggerd::test::TempDir dir;
  const auto file = dir.write("password", "one\n");
  options_.proxy->password = config::Secret("one");
  options_.proxy->password_file = file;
  options_.reconnect.min = options_.reconnect.max = Millis(60'000);
  resolver_.addresses = {{"proxy", {"10.0.0.8"}}};
  open();
  EXPECT_EQ(request().proxy->password.reveal(), "one");
  connected();
  dir.write("password", "two\n");
  lost();
  advance(Millis(60'000));
  EXPECT_EQ(request().proxy->password.reveal(), "two");
  EXPECT_EQ(log_.lines("password.changed").size(), 1U);
  connect_failed();
  EXPECT_EQ(resolver_.explained_proxy->password.reveal(), "two");
  advance(Millis(4'000));
  std::filesystem::rename(dir.write("password.new", "three"), file);
  advance(Millis(2'000));
  EXPECT_EQ(log_.lines("password.changed").size(), 2U);
  EXPECT_EQ(log_.last("password.changed").find("three"), std::string::npos);
  advance(Millis(60'000));
  EXPECT_EQ(request().proxy->password.reveal(), "three");
}

}  // namespace
}  // namespace triggerd::mqtt
