// TLS as it is meant to be: with real servers, one-way and mutual, and what a server sees of us.
#include "integration/tls_fixture.hpp"
#include "support/tls_server.hpp"

namespace triggerd::test {
namespace {

class TlsTest : public TlsFixture {
 protected:
  void expect_it_works(const MosquittoServer& server, const std::string& host,
                       const std::string& more = {}, const std::string& stores = {},
                       const std::map<std::string, std::string>& env = {}) {
    TriggerdProcess triggerd(runtime_table() + truststore(authority_.pem()) + stores +
                                 alias("a", host, "truststore = \"ca\"\n" + more),
                             env);
    const CheckResult checked = triggerd.check();
    ASSERT_EQ(checked.exit, (Exit{0, 0})) << checked.output;
    triggerd.start();
    ASSERT_TRUE(triggerd.wait_until_running()) << triggerd.output();
    expect_delivery(server, "a");
    EXPECT_EQ(triggerd.output().find("connection.failed"), std::string::npos) << triggerd.output();
    EXPECT_EQ(triggerd.stop(), (Exit{0, 0}));
  }

  ReservedPort port_;
};

TEST_F(TlsTest, OneWayWithTls13) {
  MosquittoServer server(
      {.extra_config = listener(port_.number(), authority_.issue(), false, "tls_version tlsv1.3")});
  expect_it_works(server, fmt::format("ssl://localhost:{}", port_.number()));
}

TEST_F(TlsTest, OneWayWithTls12) {
  MosquittoServer server({.extra_config = listener(port_.number(), authority_.issue(), false,
                                                   "tls_version tlsv1.2\nciphers ECDHE-ECDSA-"
                                                   "AES128-GCM-SHA256")});
  expect_it_works(server, fmt::format("mqtts://localhost:{}", port_.number()));
}

TEST_F(TlsTest, AnAddressThatTheCertificateIsMadeOutTo) {
  MosquittoServer server(
      {.extra_config = listener(port_.number(), authority_.issue({.hosts = {"127.0.0.1"}}))});
  expect_it_works(server, fmt::format("ssl://127.0.0.1:{}", port_.number()));
}

TEST_F(TlsTest, AnIpv6AddressThatTheCertificateIsMadeOutTo) {
  MosquittoServer server(
      {.extra_config =
           listener(port_.number(), authority_.issue({.hosts = {"::1"}}), false, "", "::1")});
  expect_it_works(server, fmt::format("ssl://[::1]:{}", port_.number()));
}

// RFC 6066, section 3: a server name is a host name, and no address.
TEST_F(TlsTest, AnAddressIsNotSentAsTheServerName) {
  TlsServer server({.identity = authority_.issue()});
  TriggerdProcess triggerd(
      runtime_table() + truststore(authority_.pem()) +
      alias("a", fmt::format("ssl://127.0.0.1:{}", server.port()), "truststore = \"ca\""));
  triggerd.start();
  ASSERT_TRUE(triggerd.wait_until_running()) << triggerd.output();
  ASSERT_FALSE(server.seen().empty());
  for (const TlsServer::Seen& handshake : server.seen()) EXPECT_EQ(handshake.server_name, "");
}

TEST_F(TlsTest, WebSocketOnTls) {
  MosquittoServer server(
      {.extra_config = listener(port_.number(), authority_.issue(), false, "protocol websockets")});
  expect_it_works(server, fmt::format("wss://localhost:{}/mqtt", port_.number()));
}

TEST_F(TlsTest, MutualWithAKeyOfSeveralInPkcs12) {
  MosquittoServer server({.extra_config = listener(port_.number(), authority_.issue(), true)});
  const auto file = secret("edge.p12", pkcs12({{"edge-1", authority_.issue({.name = "one"})},
                                               {"edge-2", authority_.issue({.name = "two"})}},
                                              "hunter2"));
  expect_it_works(
      server, fmt::format("ssl://localhost:{}", port_.number()),
      "keystore = \"edge\"\nkey_alias = \"edge-2\"",
      fmt::format("[keystores.edge]\nfile = \"{}\"\npassword = \"${{PASSWORD}}\"\n", file),
      {{"PASSWORD", "hunter2"}});
  EXPECT_TRUE(server.process().wait_for_line("u'two'")) << server.process().output();
}

TEST_F(TlsTest, MutualWithAnEncryptedPemKeyAndAChain) {
  const CertificateAuthority middle(authority_, "Middle CA");
  const Identity edge = middle.issue({.name = "edge"});
  MosquittoServer server({.extra_config = listener(port_.number(), authority_.issue(), true)});
  const auto certificate = dir_.write("c.pem", edge.certificate_pem() + middle.pem()).string();
  expect_it_works(server, fmt::format("ssl://localhost:{}", port_.number()), "keystore = \"edge\"",
                  fmt::format("[keystores.edge]\ncertificate = \"{}\"\nprivate_key = \"{}\"\n"
                              "password_file = \"{}\"\n",
                              certificate, secret("c.key", edge.key_pem("hunter2")),
                              dir_.write("password", "hunter2\n").string()));
  EXPECT_TRUE(server.process().wait_for_line("u'edge'"));
}

TEST_F(TlsTest, WhatTheSystemTrusts) {
  MosquittoServer server({.extra_config = listener(port_.number(), authority_.issue())});
  TriggerdProcess triggerd(
      runtime_table() + "[truststores.public]\nfile = \"system\"\n" +
          alias("a", fmt::format("ssl://localhost:{}", port_.number()), "truststore = \"public\""),
      {{"SSL_CERT_FILE", dir_.write("ca.pem", authority_.pem()).string()}});
  triggerd.start();
  EXPECT_TRUE(triggerd.wait_until_running()) << triggerd.output();
}

TEST_F(TlsTest, TheServerSeesNameAndProtocolAndEveryHandshakeIsWhole) {
  for (const int version : {TLS1_2_VERSION, TLS1_3_VERSION}) {
    SCOPED_TRACE(version);
    TlsServer server(
        {.identity = authority_.issue(), .lowest = version, .highest = version, .alpn = {"mqtt"}});
    TriggerdProcess triggerd(
        runtime_table() + truststore(authority_.pem()) +
        alias("a", fmt::format("ssl://localhost:{}", server.port()),
              "truststore = \"ca\"\nalpn = [\"x-none\", \"mqtt\"]\nclean_session = true"));
    triggerd.start();
    ASSERT_TRUE(triggerd.wait_until_running()) << triggerd.output();
    const std::size_t lines = triggerd.process().line_count();
    server.drop();
    ASSERT_TRUE(triggerd.wait_for_event("runtime.ready", {}, lines)) << triggerd.output();
    const auto seen = server.seen();
    ASSERT_GE(seen.size(), 4U) << "two connections, twice";
    for (const TlsServer::Seen& handshake : seen) {
      EXPECT_EQ(handshake.server_name, "localhost");
      EXPECT_EQ(handshake.alpn, "mqtt");
      EXPECT_EQ(handshake.version, version);
      EXPECT_FALSE(handshake.resumed) << "a resumed one would not verify again";
    }
  }
}

TEST_F(TlsTest, WhenOurCertificateEndsIsLoggedAndChecked) {
  TlsServer server({.identity = authority_.issue(), .client_ca = authority_.pem()});
  TriggerdProcess triggerd(
      runtime_table() + truststore(authority_.pem()) +
      keystore(authority_.issue({.name = "edge-1", .to = std::chrono::hours(12 * 24 + 1)})) +
      alias("a", fmt::format("ssl://localhost:{}", server.port()),
            "truststore = \"ca\"\nkeystore = \"edge\"\nclean_session = true"));
  const CheckResult checked = triggerd.check();
  EXPECT_EQ(checked.exit, (Exit{0, 0})) << checked.output;
  EXPECT_NE(checked.output.find(": warning: the certificate of keystore \"edge\" (CN=edge-1) is "
                                "valid until "),
            std::string::npos)
      << checked.output;
  EXPECT_NE(checked.output.find(" UTC, 12 days from now\n"), std::string::npos) << checked.output;
  triggerd.start();
  EXPECT_TRUE(triggerd.wait_for_event("tls.certificate", {"CN=edge-1", "12 days from now"}));
  ASSERT_TRUE(triggerd.wait_until_running()) << triggerd.output();
  EXPECT_EQ(server.seen().back().client, "/CN=edge-1");
}

// What --check says of stores that are not good, with the place.
class TlsCheckTest : public TlsFixture {
 protected:
  void expect(const std::string& stores, const std::string& more, const std::string& place,
              const std::string& message) {
    const std::string text = truststore(authority_.pem()) + stores +
                             alias("a", "ssl://localhost", "truststore = \"ca\"\n" + more);
    TriggerdProcess triggerd(text + runtime_table());
    const CheckResult checked = triggerd.check();
    EXPECT_EQ(checked.exit, (Exit{2, 0})) << checked.output;
    EXPECT_NE(checked.output.find("triggers.toml:" + place + ": error: " + message),
              std::string::npos)
        << checked.output;
    triggerd.start();
    EXPECT_EQ(triggerd.process().wait(), (Exit{2, 0})) << triggerd.output();
    EXPECT_NE(triggerd.output().find(message), std::string::npos) << triggerd.output();
  }
  std::string two_keys() const {
    return fmt::format(
        "[keystores.edge]\nfile = \"{}\"\npassword = \"hunter2\"\n",
        secret("edge.p12", pkcs12({{"edge-1", authority_.issue()}, {"edge-2", authority_.issue()}},
                                  "hunter2")));
  }
};

TEST_F(TlsCheckTest, AKeyAliasThatIsMissing) {
  expect(two_keys(), "keystore = \"edge\"", "11:12",
         "keystore \"edge\" holds 2 keys (\"edge-1\", \"edge-2\"); write key_alias");
}

TEST_F(TlsCheckTest, AKeyAliasThatIsWrong) {
  expect(two_keys(), "keystore = \"edge\"\nkey_alias = \"edge-3\"", "12:13",
         "keystore \"edge\" has no key \"edge-3\", only \"edge-1\", \"edge-2\"; did you mean ");
}

TEST_F(TlsCheckTest, APasswordThatIsWrong) {
  const auto path = secret("edge.p12", pkcs12({{"edge-1", authority_.issue()}}, "hunter2"));
  expect(fmt::format("[keystores.edge]\nfile = \"{}\"\npassword = \"hunter3\"\n", path),
         "keystore = \"edge\"", "4:8",
         fmt::format("keystore \"edge\": {}: wrong password, or it is damaged", path));
}

TEST_F(TlsCheckTest, AKeyOfAnotherCertificate) {
  const std::string stores = keystore(authority_.issue());
  secret("edge.key", authority_.issue().key_pem());
  expect(
      stores, "keystore = \"edge\"", "5:15",
      fmt::format("keystore \"edge\": the private key in {} does not match the certificate in {}",
                  file("edge.key").string(), file("edge.pem").string()));
}

TEST_F(TlsCheckTest, AKeyThatEverybodyCanRead) {
  const std::string stores = keystore(authority_.issue());
  std::filesystem::permissions(file("edge.key"), std::filesystem::perms(0644));
  expect(stores, "keystore = \"edge\"", "5:15",
         fmt::format("keystore \"edge\": {} holds a private key and can be read by everybody",
                     file("edge.key").string()));
}

TEST_F(TlsCheckTest, ATruststoreThatIsMissing) {
  expect("[truststores.other]\nfile = \"nowhere.pem\"\n", "", "4:8",
         "truststore \"other\": cannot open ");
}

}  // namespace
}  // namespace triggerd::test
