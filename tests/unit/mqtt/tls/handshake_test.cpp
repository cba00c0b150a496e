// Why a handshake fails, on a connection of our own; that the MQTT library fails in the same cases
// is tested in tests/integration/tls_failure_test.cpp.
#include "mqtt/tls/handshake.hpp"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/ioctl.h>

#include "config/config.hpp"
#include "mqtt/tls/reasons.hpp"
#include "support/certificate_authority.hpp"
#include "support/port.hpp"
#include "support/tcp_state.hpp"
#include "support/temp_dir.hpp"
#include "support/tls_server.hpp"

namespace triggerd::mqtt::tls {
namespace {

using triggerd::test::CertificateAuthority;
using triggerd::test::connect_loopback;
using triggerd::test::TlsServer;
using triggerd::test::TlsServerOptions;

// For a server that answers, however slow it is, and for one of which nothing more comes.
constexpr Millis kGenerous{60'000};
constexpr Millis kShort{200};

UniqueFd connect_to(const TlsServer& server) {
  UniqueFd fd = connect_loopback(server.port());
  ::fcntl(fd.get(), F_SETFL, O_NONBLOCK);
  return fd;
}

// Stands still until the first bytes that have come for `fd` are read; then it is much later.
class LateOnceRead final : public Clock {
 public:
  explicit LateOnceRead(int fd) : fd_(fd) {}
  Monotonic now() const override {
    const bool came = triggerd::test::tcp_bytes_received(fd_) > 0;
    return Monotonic(came && unread() == 0 ? 10 * kGenerous : Millis(0));
  }
  Wall wall() const override { return {}; }

 private:
  int unread() const {
    int bytes = 0;
    return ::ioctl(fd_, FIONREAD, &bytes) == 0 ? bytes : -1;
  }
  const int fd_;
};

class TlsHandshakeTest : public testing::Test {
 protected:
  TlsHandshakeTest() {
    config::Truststore truststore;
    truststore.name = "plant-ca";
    truststore.file = dir_.write("ca.pem", authority_.pem());
    config_.truststores.push_back(truststore);
    config::Alias alias;
    alias.name = "plant";
    alias.servers = {{.scheme = config::Server::Scheme::ssl, .host = "localhost"}};
    alias.truststore = "plant-ca";
    config_.aliases.push_back(alias);
  }
  std::string why(const TlsServer& server, const std::string& host = "localhost",
                  const HandshakeLimits& limits = {kGenerous, kGenerous}) const {
    const auto material = load_material(config_, config_.aliases[0]);
    return why_handshake_fails(connect_to(server).get(), host, **material, limits, system_clock());
  }
  // The client's key, for the alias.
  void use_keystore(const triggerd::test::Identity& identity) {
    config::Keystore keystore;
    keystore.name = "edge";
    keystore.certificate = dir_.write("edge.pem", identity.certificate_pem());
    keystore.private_key = dir_.write("edge.key", identity.key_pem());
    std::filesystem::permissions(keystore.private_key, std::filesystem::perms(0600));
    config_.keystores.push_back(keystore);
    config_.aliases[0].keystore = "edge";
  }

  triggerd::test::TempDir dir_;
  CertificateAuthority authority_;
  config::Config config_;
};

TEST_F(TlsHandshakeTest, NothingIsSaidOfAGoodOne) {
  const TlsServer server({.identity = authority_.issue({.hosts = {"localhost", "::1"}})});
  EXPECT_EQ(why(server), "");
  EXPECT_EQ(why(server, "::1"), "");
  EXPECT_NE(why(server, "127.0.0.1"), "");
}

TEST_F(TlsHandshakeTest, OnlySubjectAlternativeNamesCount) {
  const auto made_out_to = [this](const triggerd::test::CertificateOptions& options,
                                  const std::string& host) {
    const TlsServer server({.identity = authority_.issue(options)});
    return why(server, host).empty();
  };
  using Hosts = std::vector<std::string>;
  EXPECT_TRUE(made_out_to({.hosts = {"a.plant.example"}}, "a.plant.example"));
  EXPECT_TRUE(made_out_to({.hosts = {"a.plant.example"}}, "a.plant.example."));
  EXPECT_TRUE(made_out_to({.hosts = {"a.plant.example"}}, "A.Plant.Example"));
  EXPECT_TRUE(made_out_to({.hosts = {"*.plant.example"}}, "a.plant.example"));
  EXPECT_FALSE(made_out_to({.hosts = {"a*.plant.example"}}, "ab.plant.example"));
  EXPECT_FALSE(made_out_to({.hosts = {"*.plant.example"}}, "b.a.plant.example"));
  EXPECT_FALSE(made_out_to({.hosts = {"*.plant.example"}}, "plant.example"));
  EXPECT_FALSE(made_out_to({.name = "a.plant.example", .hosts = {}}, "a.plant.example"));
  EXPECT_FALSE(made_out_to({.name = "a.plant.example", .hosts = {"b"}}, "a.plant.example"));
  EXPECT_TRUE(made_out_to({.hosts = {"127.0.0.1"}}, "127.0.0.1"));
  EXPECT_FALSE(made_out_to({.hosts = {}, .dns_only = Hosts{"127.0.0.1"}}, "127.0.0.1"));
  EXPECT_FALSE(made_out_to({.name = "127.0.0.1", .hosts = {}}, "127.0.0.1"));
  EXPECT_TRUE(made_out_to({.hosts = {"::1"}}, "[::1]"));
}

TEST_F(TlsHandshakeTest, WhatACertificateLacksIsSaid) {
  const auto said = [this](const triggerd::test::CertificateOptions& options,
                           const std::string& host) {
    const TlsServer server({.identity = authority_.issue(options)});
    return why(server, host);
  };
  EXPECT_EQ(said({.name = "localhost", .hosts = {}}, "localhost"),
            "the server's certificate names no host in its subject alternative names, and its "
            "common name \"localhost\" does not count (RFC 9525); renew it with subjectAltName = "
            "DNS:localhost");
  EXPECT_EQ(said({.hosts = {}, .dns_only = {"127.0.0.1"}}, "127.0.0.1"),
            "the server's certificate lists the address 127.0.0.1 as a DNS name, which does not "
            "count; renew it with subjectAltName = IP:127.0.0.1");
  EXPECT_EQ(said({.hosts = {"a", "::1"}}, "b."),
            "the server's certificate is issued for \"a\", \"::1\", not for \"b\"; connect to a "
            "name it is issued for, or renew it with this one (subjectAltName = DNS:b)");
}

TEST_F(TlsHandshakeTest, AChainByWayOfTheMiddleIsGood) {
  const CertificateAuthority middle(authority_, "Middle CA");
  const TlsServer server({.identity = middle.issue(), .chain = {middle.identity()}});
  EXPECT_EQ(why(server), "");
}

TEST_F(TlsHandshakeTest, SilenceAndHalfAHandshakeAreToldApart) {
  const TlsServer silent(
      {.identity = authority_.issue(), .handshake = TlsServerOptions::Handshake::silent});
  EXPECT_NE(why(silent, "localhost", {.answer = kShort}).find("does not answer the TLS handshake"),
            std::string::npos);
  const TlsServer stalled(
      {.identity = authority_.issue(), .handshake = TlsServerOptions::Handshake::stalled});
  const UniqueFd fd = connect_to(stalled);
  const auto material = load_material(config_, config_.aliases[0]);
  EXPECT_NE(why_handshake_fails(fd.get(), "localhost", **material, {.answer = kGenerous},
                                LateOnceRead(fd.get()))
                .find("does not continue it"),
            std::string::npos);
}

TEST_F(TlsHandshakeTest, AServerThatAskedForACertificateMayObjectAfterTheHandshake) {
  for (const int version : {TLS1_2_VERSION, TLS1_3_VERSION}) {
    const TlsServer server({.identity = authority_.issue(),
                            .client_ca = authority_.pem(),
                            .lowest = version,
                            .highest = version});
    EXPECT_EQ(why(server).find(
                  "the server asks for a client certificate, but none is configured (alert \""),
              0U);
  }
  const TlsServer server({.identity = authority_.issue(), .client_ca = authority_.pem()});
  use_keystore(authority_.issue({.name = "edge"}));
  EXPECT_EQ(why(server, "localhost", {.answer = kGenerous, .objection = kShort}), "");
}

TEST_F(TlsHandshakeTest, WhetherAServerAnswersInTls) {
  const TlsServer tls({.identity = authority_.issue()});
  EXPECT_TRUE(answers_in_tls(connect_to(tls).get(), kGenerous, system_clock()));
  const TlsServer wants_certificate(
      {.identity = authority_.issue(), .client_ca = authority_.pem()});
  EXPECT_TRUE(answers_in_tls(connect_to(wants_certificate).get(), kGenerous, system_clock()));
  const TlsServer old(
      {.identity = authority_.issue(), .lowest = TLS1_VERSION, .highest = TLS1_1_VERSION});
  EXPECT_TRUE(answers_in_tls(connect_to(old).get(), kGenerous, system_clock()))
      << "its alert is TLS, too";
  const TlsServer silent(
      {.identity = authority_.issue(), .handshake = TlsServerOptions::Handshake::silent});
  EXPECT_FALSE(answers_in_tls(connect_to(silent).get(), kShort, system_clock()));
}

}  // namespace
}  // namespace triggerd::mqtt::tls
