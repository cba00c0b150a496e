// TLS that cannot be: the log line of the failed connect says why, and other aliases do not notice.
#include <stdlib.h>

#include "integration/tls_fixture.hpp"
#include "support/tls_server.hpp"

namespace triggerd::test {
namespace {

using Handshake = TlsServerOptions::Handshake;
using Parts = std::initializer_list<std::string_view>;

class TlsFailureTest : public TlsFixture {
 protected:
  // Runs alias "bad" beside alias "good", which is on a server without TLS.
  void start(const std::string& stores, const std::string& bad_alias) {
    triggerd_.emplace(runtime_table() + truststore(authority_.pem()) + stores + bad_alias +
                      alias("good", fmt::format("tcp://127.0.0.1:{}", good_.port())));
    triggerd_->start();
  }
  void expect_failure(Parts parts) {
    for (const char* who : {"trigger=bad", "client_id=client-bad"}) {
      const auto failed = triggerd_->wait_for_event("connection.failed", {"alias=bad", who});
      ASSERT_TRUE(failed) << triggerd_->output();
      for (const std::string_view part : parts) {
        EXPECT_NE(failed->text.find(part), std::string::npos)
            << failed->text << "\n  does not say: " << part;
      }
    }
    expect_good_works();
  }
  void expect_good_works() {
    ASSERT_TRUE(triggerd_->wait_for_event("trigger.running", {"trigger=good"}))
        << triggerd_->output();
    expect_delivery(good_, "good");
    for (const OutputLine& line : triggerd_->process().lines()) {
      EXPECT_FALSE(event_of(line.text) == "connection.failed" &&
                   line.text.find("alias=good") != std::string::npos)
          << line.text;
    }
  }
  // A server with this certificate is not connected to, and `parts` say why.
  void expect_refused(const Identity& identity, Parts parts,
                      const std::vector<Identity>& chain = {}) {
    TlsServer server({.identity = identity, .chain = chain});
    start("",
          alias("bad", fmt::format("ssl://localhost:{}", server.port()), "truststore = \"ca\""));
    expect_failure(parts);
    EXPECT_EQ(server.connects(), 0) << "it must not even see a password";
  }
  // With this keystore in the place of none, a server that wants a certificate says no.
  void expect_client_refused(int version, const std::string& stores, const std::string& more,
                             Parts parts) {
    TlsServer server({.identity = authority_.issue(),
                      .client_ca = authority_.pem(),
                      .lowest = version,
                      .highest = version});
    start(stores, alias("bad", fmt::format("ssl://localhost:{}", server.port()),
                        "truststore = \"ca\"\n" + more));
    expect_failure(parts);
  }

  MosquittoServer good_;
  std::optional<TriggerdProcess> triggerd_;
};

TEST_F(TlsFailureTest, Expired) {
  expect_refused(
      authority_.issue({.name = "old", .to = std::chrono::hours(-1) + std::chrono::minutes(30)}),
      {"the server's certificate expired on ", "(CN=old); renew it"});
}

TEST_F(TlsFailureTest, NotYetValid) {
  expect_refused(authority_.issue({.name = "new", .from = std::chrono::hours(1)}),
                 {"the server's certificate is not valid before ", "(CN=new)", "clocks"});
}

TEST_F(TlsFailureTest, WrongHost) {
  expect_refused(authority_.issue({.hosts = {"mqtt.plant.example", "10.0.0.1"}}),
                 {"issued for \"mqtt.plant.example\", \"10.0.0.1\", not for \"localhost\""});
}

TEST_F(TlsFailureTest, WrongAddress) {
  TlsServer server({.identity = authority_.issue({.hosts = {"localhost", "127.0.0.2"}})});
  start("", alias("bad", fmt::format("ssl://127.0.0.1:{}", server.port()), "truststore = \"ca\""));
  expect_failure({"issued for \"localhost\", \"127.0.0.2\", not for \"127.0.0.1\""});
  EXPECT_EQ(server.connects(), 0);
}

TEST_F(TlsFailureTest, ACommonNameAlone) {
  expect_refused(authority_.issue({.name = "localhost", .hosts = {}}),
                 {"names no host in its subject alternative names",
                  "its common name \"localhost\" does not count",
                  "renew it with subjectAltName = DNS:localhost"});
}

TEST_F(TlsFailureTest, ACommonNameBesideOtherNames) {
  expect_refused(authority_.issue({.name = "localhost", .hosts = {"other.example"}}),
                 {"issued for \"other.example\", not for \"localhost\""});
}

TEST_F(TlsFailureTest, AnAddressAsADnsName) {
  TlsServer server({.identity = authority_.issue({.hosts = {}, .dns_only = {"127.0.0.1"}})});
  start("", alias("bad", fmt::format("ssl://127.0.0.1:{}", server.port()), "truststore = \"ca\""));
  expect_failure({"lists the address 127.0.0.1 as a DNS name", "subjectAltName = IP:127.0.0.1"});
  EXPECT_EQ(server.connects(), 0);
}

TEST_F(TlsFailureTest, AnAddressAsTheCommonName) {
  TlsServer server({.identity = authority_.issue({.name = "127.0.0.1", .hosts = {}})});
  start("", alias("bad", fmt::format("ssl://127.0.0.1:{}", server.port()), "truststore = \"ca\""));
  expect_failure({"does not count", "subjectAltName = IP:127.0.0.1"});
  EXPECT_EQ(server.connects(), 0);
}

TEST_F(TlsFailureTest, WrongHostOnAWebSocket) {
  TlsServer server({.identity = authority_.issue({.hosts = {"mqtt.plant.example"}})});
  start("",
        alias("bad", fmt::format("wss://localhost:{}/mqtt", server.port()), "truststore = \"ca\""));
  expect_failure({"issued for \"mqtt.plant.example\", not for \"localhost\""});
}

TEST_F(TlsFailureTest, WrongCa) {
  const CertificateAuthority other("Other CA");
  expect_refused(other.issue({.name = "stranger"}),
                 {"not trusted", "in truststore \"ca\"", "CN=stranger, issued by CN=Other CA"});
}

TEST_F(TlsFailureTest, WrongCaWithItsRoot) {
  const CertificateAuthority other("Other CA");
  expect_refused(other.issue(), {"the root of its chain is not in truststore \"ca\""},
                 {other.identity()});
}

TEST_F(TlsFailureTest, AnotherCaOfTheSameName) {
  const CertificateAuthority other("Test CA");
  expect_refused(other.issue(), {"not trusted", "truststore \"ca\""});
}

TEST_F(TlsFailureTest, SelfSigned) {
  expect_refused(self_signed({.name = "lonely"}),
                 {"it is self-signed, and not in truststore \"ca\"", "CN=lonely"});
}

TEST_F(TlsFailureTest, AChainWithoutItsMiddle) {
  const CertificateAuthority middle(authority_, "Middle CA");
  expect_refused(middle.issue(), {"its issuer is neither in its chain nor in truststore \"ca\"",
                                  "issued by CN=Middle CA"});
}

TEST_F(TlsFailureTest, NoClientCertificateWithTls12) {
  expect_client_refused(
      TLS1_2_VERSION, "", "",
      {"the server asks for a client certificate, but none is configured", "write keystore"});
}

TEST_F(TlsFailureTest, NoClientCertificateWithTls13) {
  expect_client_refused(
      TLS1_3_VERSION, "", "",
      {"the server asks for a client certificate, but none is configured", "write keystore"});
}

TEST_F(TlsFailureTest, AClientCertificateOfAnotherCa) {
  const CertificateAuthority other("Other CA");
  for (const int version : {TLS1_2_VERSION, TLS1_3_VERSION}) {
    expect_client_refused(version, keystore(other.issue({.name = "edge"})), "keystore = \"edge\"",
                          {"the server does not accept the certificate of keystore \"edge\" "
                           "(CN=edge): alert \"unknown CA\""});
  }
}

TEST_F(TlsFailureTest, AClientCertificateThatHasExpired) {
  expect_client_refused(
      TLS1_3_VERSION, keystore(authority_.issue({.name = "edge", .to = std::chrono::minutes(-30)})),
      "keystore = \"edge\"",
      {"the server does not accept the certificate of keystore \"edge\" (CN=edge): alert "
       "\"certificate expired\""});
  EXPECT_TRUE(triggerd_->wait_for_event("tls.certificate", {"CN=edge", "expired on"}));
}

TEST_F(TlsFailureTest, TheWrongKeyOfAKeystore) {
  const CertificateAuthority other("Other CA");
  const auto path =
      secret("edge.p12", pkcs12({{"right", authority_.issue()}, {"wrong", other.issue()}}, "x"));
  expect_client_refused(TLS1_3_VERSION,
                        fmt::format("[keystores.edge]\nfile = \"{}\"\npassword = \"x\"\n", path),
                        "keystore = \"edge\"\nkey_alias = \"wrong\"",
                        {"does not accept the certificate of key \"wrong\" of keystore \"edge\""});
}

TEST_F(TlsFailureTest, AServerWithTlsOnATcpAddress) {
  TlsServer server({.identity = authority_.issue()});
  start("", alias("bad", fmt::format("tcp://localhost:{}", server.port())));
  expect_failure({"the server speaks TLS on this port; write ssl://"});
}

TEST_F(TlsFailureTest, AServerWithoutTlsOnATlsAddress) {
  MosquittoServer plain;
  start("", alias("bad", fmt::format("ssl://localhost:{}", plain.port()), "truststore = \"ca\""));
  expect_failure({"the server closed the connection during the TLS handshake", "its TLS port?"});
}

TEST_F(TlsFailureTest, OnlyAnOldTls) {
  TlsServer server(
      {.identity = authority_.issue(), .lowest = TLS1_VERSION, .highest = TLS1_1_VERSION});
  start("", alias("bad", fmt::format("ssl://localhost:{}", server.port()), "truststore = \"ca\""));
  expect_failure({"the server speaks neither TLS 1.2 nor 1.3"});
  EXPECT_EQ(server.connects(), 0);
}

TEST_F(TlsFailureTest, NoneOfTheProtocols) {
  TlsServer server({.identity = authority_.issue(), .alpn = {"mqtt"}});
  start("", alias("bad", fmt::format("ssl://localhost:{}", server.port()),
                  "truststore = \"ca\"\nalpn = [\"http/1.1\"]"));
  expect_failure({"the server accepts none of the protocols in alpn"});
}

TEST_F(TlsFailureTest, AServerThatAcceptsAndSaysNothing) {
  TlsServer server({.identity = authority_.issue(), .handshake = Handshake::silent});
  start("", alias("bad", fmt::format("ssl://localhost:{}", server.port()),
                  "truststore = \"ca\"\nconnection_timeout = \"300ms\""));
  expect_good_works();
  expect_failure({"the server accepts the connection but does not answer the TLS handshake"});
}

TEST_F(TlsFailureTest, AnEndWhileAReasonIsLookedForIsAnOrderlyOne) {
  TlsServer server({.identity = authority_.issue(), .handshake = Handshake::stalled});
  start("", alias("bad", fmt::format("ssl://localhost:{}", server.port()),
                  "truststore = \"ca\"\nconnection_timeout = \"1s\""));
  // Alias and trigger have tried, and the third is a look at why.
  ASSERT_TRUE(eventually([&] { return server.accepted() >= 3; })) << triggerd_->output();
  EXPECT_EQ(triggerd_->stop(), (Exit{0, 0})) << triggerd_->output();
}

TEST_F(TlsFailureTest, AServerThatStopsInTheHandshake) {
  TlsServer server({.identity = authority_.issue(), .handshake = Handshake::stalled});
  start("", alias("bad", fmt::format("ssl://localhost:{}", server.port()),
                  "truststore = \"ca\"\nconnection_timeout = \"1s\""));
  expect_good_works();
  expect_failure({"the server began the TLS handshake but does not continue it"});
}

TEST_F(TlsFailureTest, ASlowHandshakeHoldsUpNobodyAndSucceeds) {
  TlsServer server({.identity = authority_.issue(), .handshake = Handshake::held});
  start("", alias("bad", fmt::format("ssl://localhost:{}", server.port()),
                  "truststore = \"ca\"\nconnection_timeout = 0"));
  for (int i = 0; i < 20; ++i) expect_good_works();
  EXPECT_TRUE(server.seen().empty());
  server.release();
  ASSERT_TRUE(triggerd_->wait_until_running()) << triggerd_->output();
  EXPECT_EQ(triggerd_->output().find("connection.failed"), std::string::npos);
}

TEST_F(TlsFailureTest, NothingOfAKeyIsEverLogged) {
  const CertificateAuthority other("Other CA");
  const Identity edge = other.issue({.name = "edge"});
  expect_client_refused(TLS1_3_VERSION, keystore(edge), "keystore = \"edge\"", {"unknown CA"});
  EXPECT_EQ(triggerd_->output().find("PRIVATE KEY"), std::string::npos);
  EXPECT_EQ(triggerd_->output().find(edge.key_pem().substr(30, 40)), std::string::npos);
}

}  // namespace
}  // namespace triggerd::test
