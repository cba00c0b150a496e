// Connections through a proxy, HTTP (CONNECT) and SOCKS5, to real servers: with TCP, TLS and
// WebSockets, and what is said where the proxy does not let them through.
#include <netinet/in.h>
#include <signal.h>
#include <sys/socket.h>

#include <optional>

#include "integration/tls_fixture.hpp"
#include "support/scripted_proxy.hpp"

namespace triggerd::test {
namespace {

// It is nowhere: whoever looks it up by himself does not find it.
constexpr const char* kHost = "broker.proxied.invalid";

struct Way {
  const char* name;
  ProxyKind kind;
  const char* scheme;
  friend void PrintTo(const Way& way, std::ostream* out) { *out << way.name; }
};

class ProxyFixture : public TlsFixture {
 protected:
  // A server that has each scheme on a port of its own.
  MosquittoServer& server() {
    if (!server_) {
      const Identity identity = authority_.issue({.hosts = {kHost}});
      server_.emplace(MosquittoOptions{
          .websockets = true,
          .extra_config = listener(tls_port_.number(), identity) +
                          listener(wss_port_.number(), identity, false, "protocol websockets")});
    }
    return *server_;
  }
  std::string address(const std::string& scheme, const std::string& host = kHost) {
    const MosquittoServer& there = server();
    const std::uint16_t port = scheme == "tcp"   ? there.port()
                               : scheme == "ws"  ? there.websocket_port()
                               : scheme == "ssl" ? tls_port_.number()
                                                 : wss_port_.number();
    return fmt::format("{}://{}:{}", scheme, host, port);
  }
  // A configuration with one alias, "a", behind a proxy.
  std::string config(const std::string& address, const std::string& proxy,
                     const std::string& more = {}) {
    const bool tls = address.starts_with("ssl") || address.starts_with("wss");
    return runtime_table() + (tls ? truststore(authority_.pem()) : "") +
           alias("a", address,
                 fmt::format("proxy = \"{}\"\n{}{}", proxy, tls ? "truststore = \"ca\"\n" : "",
                             more));
  }
  // What `connection.failed` says.
  void expect_failure(const std::string& address, const std::string& proxy, const std::string& why,
                      const std::string& more = {}) {
    TriggerdProcess triggerd(config(address, proxy, more));
    triggerd.start();
    const auto failed = triggerd.wait_for_event("connection.failed", {"alias=a", why});
    EXPECT_TRUE(failed) << why << "\n" << triggerd.output();
    EXPECT_EQ(triggerd.output().find("hunter2"), std::string::npos) << triggerd.output();
    EXPECT_EQ(triggerd.stop(), (Exit{0, 0}));
  }

 private:
  ReservedPort tls_port_;
  ReservedPort wss_port_;
  std::optional<MosquittoServer> server_;
};

class ProxyWay : public ProxyFixture, public testing::WithParamInterface<Way> {};

TEST_P(ProxyWay, LeadsToAServerThatItAloneCanFind) {
  const Way& way = GetParam();
  ScriptedProxy proxy({.kind = way.kind, .names = {kHost}});
  TriggerdProcess triggerd(config(address(way.scheme), proxy.url()));
  triggerd.start();
  ASSERT_TRUE(triggerd.wait_until_running()) << triggerd.output();
  expect_delivery(server(), "a");
  EXPECT_GE(proxy.let_through(), 2) << "the alias's own connection and the trigger's";
  for (const ScriptedProxy::Asked& asked : proxy.asked()) {
    EXPECT_EQ(asked.host, kHost);
    EXPECT_FALSE(asked.as_address);
    EXPECT_EQ(asked.user_name, "");
  }
  EXPECT_EQ(triggerd.output().find("connection.failed"), std::string::npos) << triggerd.output();
  EXPECT_EQ(triggerd.stop(), (Exit{0, 0}));
}

TEST_P(ProxyWay, IsToldAUserNameAndPasswordByteByByte) {
  const Way& way = GetParam();
  ScriptedProxy proxy({.kind = way.kind,
                       .user_name = "edge",
                       .password = "hunter2 @:/\xc3\xbc",
                       .names = {kHost},
                       .byte_by_byte = true});
  TriggerdProcess triggerd(
      config(address(way.scheme), proxy.url("edge:hunter2%20%40%3A%2F%C3%BC")));
  triggerd.start();
  ASSERT_TRUE(triggerd.wait_until_running()) << triggerd.output();
  expect_delivery(server(), "a");
  EXPECT_EQ(triggerd.output().find("hunter2"), std::string::npos) << triggerd.output();
  EXPECT_EQ(triggerd.stop(), (Exit{0, 0}));
}

TEST_P(ProxyWay, AWrongPasswordIsNamed) {
  const Way& way = GetParam();
  const ScriptedProxy proxy({.kind = way.kind, .user_name = "edge", .password = "right"});
  expect_failure(address(way.scheme), proxy.url("edge:hunter2"),
                 "the proxy refused the user name and password");
  EXPECT_EQ(proxy.let_through(), 0);
}

TEST_P(ProxyWay, AMissingPasswordIsNamed) {
  const Way& way = GetParam();
  const ScriptedProxy proxy({.kind = way.kind, .user_name = "edge", .password = "right"});
  expect_failure(address(way.scheme), proxy.url(), "the proxy wants a user name and password");
}

TEST_P(ProxyWay, AServerThatTheProxyDoesNotFindIsNamed) {
  const Way& way = GetParam();
  const ScriptedProxy proxy({.kind = way.kind});
  const std::string address = this->address(way.scheme);
  expect_failure(address, proxy.url(),
                 fmt::format("{}{} through {}: the proxy cannot connect to the server", address,
                             way.scheme[0] == 'w' ? "/mqtt" : "", proxy.url()));
}

TEST_P(ProxyWay, AProxyThatIsDownIsNamedAndWaitedFor) {
  const Way& way = GetParam();
  ScriptedProxy proxy({.kind = way.kind, .names = {kHost}});
  proxy.stop();
  TriggerdProcess triggerd(config(address(way.scheme), proxy.url()));
  triggerd.start();
  ASSERT_TRUE(triggerd.wait_for_event("connection.failed",
                                      {"the proxy cannot be reached: Connection refused"}))
      << triggerd.output();
  proxy.start();
  ASSERT_TRUE(triggerd.wait_until_running()) << triggerd.output();
  // And goes, and comes back.
  const std::size_t before = triggerd.process().line_count();
  proxy.stop();
  ASSERT_TRUE(triggerd.wait_for_event("runtime.not_ready", {}, before)) << triggerd.output();
  proxy.start();
  ASSERT_TRUE(triggerd.wait_for_event("runtime.ready", {}, before)) << triggerd.output();
  expect_delivery(server(), "a");
  EXPECT_EQ(triggerd.stop(), (Exit{0, 0}));
}

INSTANTIATE_TEST_SUITE_P(All, ProxyWay,
                         testing::Values(Way{"HttpTcp", ProxyKind::http, "tcp"},
                                         Way{"HttpTls", ProxyKind::http, "ssl"},
                                         Way{"HttpWebSocket", ProxyKind::http, "ws"},
                                         Way{"HttpWebSocketOnTls", ProxyKind::http, "wss"},
                                         Way{"SocksTcp", ProxyKind::socks5, "tcp"},
                                         Way{"SocksTls", ProxyKind::socks5, "ssl"},
                                         Way{"SocksWebSocket", ProxyKind::socks5, "ws"},
                                         Way{"SocksWebSocketOnTls", ProxyKind::socks5, "wss"}),
                         [](const auto& one) { return one.param.name; });

class ProxyTest : public ProxyFixture {};

TEST_F(ProxyTest, WhatAProxyAnswersIsToldWithItsStatus) {
  const std::pair<const char*, const char*> cases[] = {
      {"403 Forbidden", "the proxy does not allow a connection to the server (status 403)"},
      {"503 Service Unavailable", "the proxy has no connection available now (status 503)"},
      {"504 Gateway Timeout", "the proxy got no answer from the server (status 504)"},
  };
  for (const auto& [status, why] : cases) {
    const ScriptedProxy proxy({.answer = fmt::format("HTTP/1.1 {}\r\n\r\nno", status)});
    for (const char* scheme : {"tcp", "ssl", "wss"}) {
      expect_failure(address(scheme), proxy.url(), why);
    }
  }
}

TEST_F(ProxyTest, WhatIsNoProxyIsToldByItsFirstBytes) {
  for (const auto kind : {ProxyKind::http, ProxyKind::socks5}) {
    const ScriptedProxy proxy({.kind = kind, .answer = "SSH-2.0-test\r\n"});
    expect_failure(address("tcp"), proxy.url(), "it answered with \"SSH-2.0-test");
  }
}

TEST_F(ProxyTest, AProxyThatSaysNothingIsGivenUp) {
  const ReservedPort port;
  const UniqueFd silent(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port.number());
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  const int on = 1;
  ASSERT_EQ(::setsockopt(silent.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof on), 0);
  ASSERT_EQ(::bind(silent.get(), reinterpret_cast<sockaddr*>(&address), sizeof address), 0);
  ASSERT_EQ(::listen(silent.get(), 64), 0);
  expect_failure(this->address("tcp"), fmt::format("http://127.0.0.1:{}", port.number()),
                 "the proxy did not answer in time", "connection_timeout = \"300ms\"\n");
}

// The certificate is the server's, whoever stands between.
TEST_F(ProxyTest, ACertificateForAnotherNameIsRefused) {
  const ScriptedProxy proxy({.names = {"another.proxied.invalid"}});
  expect_failure(address("ssl", "another.proxied.invalid"), proxy.url(), kHost);
}

// They may not be taken for each other: each would tell the other's server what is meant for its
// own.
TEST_F(ProxyTest, TwoAliasesToOneAddressWithAndWithoutAProxy) {
  ScriptedProxy proxy({});
  const std::string host = address("tcp", "127.0.0.1");
  TriggerdProcess triggerd(runtime_table() +
                           alias("a", host, fmt::format("proxy = \"{}\"\n", proxy.url())) +
                           alias("b", host));
  triggerd.start();
  ASSERT_TRUE(triggerd.wait_until_running()) << triggerd.output();
  expect_delivery(server(), "a");
  ASSERT_TRUE(wait_for_records(file("b"), 1)) << "both are subscribed to it";
  EXPECT_EQ(proxy.asked().size(), 2U);
  EXPECT_EQ(proxy.let_through(), 2);
  EXPECT_EQ(triggerd.output().find("connection.failed"), std::string::npos) << triggerd.output();
  EXPECT_EQ(triggerd.stop(), (Exit{0, 0}));
}

TEST_F(ProxyTest, APasswordInAFileMayChange) {
  ScriptedProxy proxy({.user_name = "edge", .password = "right", .names = {kHost}});
  const auto password = dir_.write("password", "wrong-hunter2\n");
  TriggerdProcess triggerd(
      config(address("tcp"), proxy.url("edge"),
             fmt::format("proxy_password_file = \"{}\"\n", password.string())));
  triggerd.start();
  ASSERT_TRUE(triggerd.wait_for_event("connection.failed",
                                      {"the proxy refused the user name and password"}))
      << triggerd.output();
  std::filesystem::rename(dir_.write("new", "right\n"), password);
  ASSERT_TRUE(triggerd.wait_until_running()) << triggerd.output();
  EXPECT_EQ(triggerd.output().find("hunter2"), std::string::npos);
  EXPECT_EQ(triggerd.stop(), (Exit{0, 0}));
}

TEST_F(ProxyTest, AReloadWithAnotherProxyConnectsAnew) {
  ScriptedProxy one({.names = {kHost}});
  ScriptedProxy two({.kind = ProxyKind::socks5, .names = {kHost}});
  TriggerdProcess triggerd(config(address("tcp"), one.url()));
  triggerd.start();
  ASSERT_TRUE(triggerd.wait_until_running()) << triggerd.output();
  triggerd.write_config(config(address("tcp"), two.url()));
  triggerd.process().signal(SIGHUP);
  ASSERT_TRUE(eventually([&] { return two.let_through() >= 2; })) << triggerd.output();
  expect_delivery(server(), "a");
  EXPECT_EQ(triggerd.stop(), (Exit{0, 0}));
}

}  // namespace
}  // namespace triggerd::test
