// Why a connect through a proxy has failed: the resolver goes the same way once more.
#include <gtest/gtest.h>
#include <sys/socket.h>

#include <future>

#include "config/proxy_address.hpp"
#include "mqtt/session/resolver.hpp"
#include "mqtt/tls/material.hpp"
#include "support/certificate_authority.hpp"
#include "support/scripted_proxy.hpp"
#include "support/tls_server.hpp"

namespace triggerd::mqtt {
namespace {

using triggerd::test::ProxyKind;
using triggerd::test::ScriptedProxy;
using triggerd::test::ScriptedProxyOptions;

constexpr const char* kProxiedHost = "broker.proxied.invalid";

// Nobody here is silent: what is slow is waited for.
constexpr tls::HandshakeLimits kGenerous{.answer = Millis(60'000), .objection = Millis(60'000)};

std::string why_through(const std::string& proxy, const config::Server& server,
                        const tls::HandshakeLimits& limits = kGenerous) {
  const auto resolver = make_system_resolver(system_clock(), limits);
  std::promise<std::string> told;
  resolver->explain({"127.0.0.1", server, nullptr, config::parse_proxy(proxy).value()},
                    [&told](const std::string& reason) { told.set_value(reason); });
  return told.get_future().get();
}

class ResolverProxyTest : public testing::TestWithParam<ProxyKind> {
 protected:
  ScriptedProxyOptions options(const std::string& user_name = {},
                               const std::string& password = {}) const {
    return {
        .kind = GetParam(), .user_name = user_name, .password = password, .names = {kProxiedHost}};
  }
  // It accepts connections, and says nothing but TLS.
  triggerd::test::CertificateAuthority authority_;
  triggerd::test::TlsServer server_{{.identity = authority_.issue()}};
  const config::Server broker_{.host = kProxiedHost, .port = server_.port()};
};

TEST_P(ResolverProxyTest, GoesThroughToTheServer) {
  for (const bool slow : {false, true}) {
    ScriptedProxyOptions wanted = options("edge", "p@ss");
    wanted.byte_by_byte = slow;
    const ScriptedProxy proxy(wanted);
    EXPECT_EQ(why_through(proxy.url("edge:p%40ss"), broker_),
              "the server speaks TLS on this port; write ssl://");
    EXPECT_EQ(proxy.let_through(), 1);
    ASSERT_EQ(proxy.asked().size(), 1U);
    EXPECT_EQ(proxy.asked()[0].host, kProxiedHost);
    EXPECT_EQ(proxy.asked()[0].port, server_.port());
  }
}

TEST_P(ResolverProxyTest, SaysWhatTheProxySays) {
  const ScriptedProxy proxy(options("edge", "right"));
  EXPECT_EQ(why_through(proxy.url(), broker_).find("the proxy wants a user name and password"), 0U);
  EXPECT_EQ(why_through(proxy.url("edge:wrong"), broker_)
                .find("the proxy refused the user name and password"),
            0U);
  const config::Server nowhere{.host = "nowhere.proxied.invalid", .port = 1};
  EXPECT_EQ(
      why_through(proxy.url("edge:right"), nowhere).find("the proxy cannot connect to the server"),
      0U);
  EXPECT_EQ(proxy.let_through(), 0);
}

TEST_P(ResolverProxyTest, SaysWhatIsNoProxy) {
  ScriptedProxyOptions other = options();
  other.answer = "SSH-2.0-test\r\n";
  const ScriptedProxy proxy(other);
  EXPECT_NE(why_through(proxy.url(), broker_).find("it answered with \"SSH-2.0-test"),
            std::string::npos);
}

TEST_P(ResolverProxyTest, AnAddressIsAskedForAsOne) {
  const ScriptedProxy proxy(options());
  const config::Server numeric{.host = "127.0.0.1", .port = server_.port()};
  EXPECT_EQ(why_through(proxy.url(), numeric), "the server speaks TLS on this port; write ssl://");
  EXPECT_EQ(proxy.asked()[0].as_address, GetParam() == ProxyKind::socks5);
  const config::Server ipv6{.host = "::1", .port = 1};
  EXPECT_EQ(why_through(proxy.url(), ipv6).find("the proxy cannot connect to the server"), 0U);
  EXPECT_EQ(proxy.asked()[1].host, GetParam() == ProxyKind::socks5 ? "::1" : "[::1]");
}

TEST_P(ResolverProxyTest, SaysThatTheProxyIsDownAndThatItIsGoneInTheMidst) {
  ScriptedProxy proxy(options());
  proxy.stop();
  EXPECT_EQ(why_through(proxy.url(), broker_), "the proxy cannot be reached: Connection refused");
  // A server with TLS that is no proxy: it ends what is no handshake, and of a greeting that is
  // shorter than the head of a TLS record it waits for the rest.
  const std::string at = "://127.0.0.1:" + std::to_string(server_.port());
  if (GetParam() == ProxyKind::http) {
    const std::string found = why_through("http" + at, broker_);
    EXPECT_EQ(found.find("the proxy "), 0U) << found;
    EXPECT_NE(found, "the proxy did not answer in time");
  } else {
    EXPECT_EQ(why_through("socks5" + at, broker_, {.answer = Millis(200)}),
              "the proxy did not answer in time");
  }
}

INSTANTIATE_TEST_SUITE_P(Both, ResolverProxyTest,
                         testing::Values(ProxyKind::http, ProxyKind::socks5), [](const auto& one) {
                           return one.param == ProxyKind::http ? "Http" : "Socks5";
                         });

}  // namespace
}  // namespace triggerd::mqtt
