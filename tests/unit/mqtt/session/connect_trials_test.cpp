// A trial that waits for a server is over when the process ends: it would use OpenSSL while the
// exit handlers take it down.
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <atomic>
#include <future>

#include "base/file.hpp"
#include "config/proxy_address.hpp"
#include "mqtt/session/resolver.hpp"
#include "mqtt/tls/material.hpp"
#include "support/certificate_authority.hpp"
#include "support/tls_server.hpp"

namespace triggerd::mqtt {
namespace {

using triggerd::test::CertificateAuthority;
using triggerd::test::TlsServer;
using triggerd::test::TlsServerOptions;

// Longer than any test may take.
constexpr tls::HandshakeLimits kForever{.answer = Millis(3'600'000),
                                        .objection = Millis(3'600'000)};

// A port whose server accepts nothing, and whose queue is full: a connect gets no answer.
class FullQueue {
 public:
  FullQueue() : listening_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof address;
    auto* const generic = reinterpret_cast<sockaddr*>(&address);
    EXPECT_EQ(::bind(listening_.get(), generic, size), 0);
    EXPECT_EQ(::listen(listening_.get(), 0), 0);
    EXPECT_EQ(::getsockname(listening_.get(), generic, &size), 0);
    port_ = ntohs(address.sin_port);
    for (UniqueFd& fd : waiting_) {
      fd = UniqueFd(::socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
      (void)::connect(fd.get(), generic, size);
    }
  }
  std::uint16_t port() const { return port_; }

 private:
  UniqueFd listening_;
  UniqueFd waiting_[4];
  std::uint16_t port_ = 0;
};

class ConnectTrialsTest : public testing::Test {
 protected:
  // The resolver goes while it waits; it has told when it is gone.
  void expect_end(const Resolver::Failed& failed) {
    std::promise<std::string> promise;
    std::future<std::string> told = promise.get_future();
    auto resolver = make_system_resolver(system_clock(), kForever);
    resolver->explain(failed, [&promise](const std::string& why) { promise.set_value(why); });
    EXPECT_EQ(told.wait_for(Millis(100)), std::future_status::timeout);
    resolver.reset();
    EXPECT_EQ(told.wait_for(Millis(0)), std::future_status::ready);
  }

  CertificateAuthority authority_;
};

TEST_F(ConnectTrialsTest, OneThatWaitsForAHandshakeIsEnded) {
  using Handshake = TlsServerOptions::Handshake;
  for (const Handshake kind : {Handshake::silent, Handshake::stalled}) {
    TlsServer server({.identity = authority_.issue(), .handshake = kind});
    expect_end({"127.0.0.1", {.host = "127.0.0.1", .port = server.port()}, nullptr, {}});
  }
}

TEST_F(ConnectTrialsTest, OneThatWaitsForAConnectIsEnded) {
  const FullQueue queue;
  expect_end({"127.0.0.1", {.host = "127.0.0.1", .port = queue.port()}, nullptr, {}});
}

TEST_F(ConnectTrialsTest, OneThatWaitsForAProxyIsEnded) {
  TlsServer server(
      {.identity = authority_.issue(), .handshake = TlsServerOptions::Handshake::silent});
  const auto proxy = config::parse_proxy("socks5://127.0.0.1:" + std::to_string(server.port()));
  expect_end({"127.0.0.1", {.host = "broker.invalid", .port = 1883}, nullptr, proxy.value()});
}

// Some are over, some wait, some have just begun.
TEST_F(ConnectTrialsTest, OfManyAtOnceEachIsToldOnce) {
  const FullQueue queue;
  constexpr int kEach = 64;
  std::atomic<int> told{0};
  auto resolver = make_system_resolver(system_clock(), kForever);
  for (int i = 0; i < kEach; ++i) {
    for (const std::uint16_t port : {queue.port(), std::uint16_t{1}}) {
      resolver->explain({"127.0.0.1", {.host = "127.0.0.1", .port = port}, nullptr, {}},
                        [&told](const std::string&) { ++told; });
    }
  }
  resolver.reset();
  EXPECT_EQ(told, 2 * kEach);
}

}  // namespace
}  // namespace triggerd::mqtt
