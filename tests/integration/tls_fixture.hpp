// What the tests of TLS have in common: an authority, files, and configurations.
#pragma once

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <string>

#include "integration/recorded.hpp"
#include "support/certificate_authority.hpp"
#include "support/mosquitto.hpp"
#include "support/mqtt_client.hpp"
#include "support/port.hpp"
#include "support/triggerd_process.hpp"

namespace triggerd::test {

class TlsFixture : public testing::Test {
 protected:
  std::filesystem::path file(const std::string& name = "records") const { return dir_ / name; }
  // A file that only its owner can read.
  std::string secret(const std::string& name, const std::string& content) const {
    const auto path = dir_.write(name, content);
    std::filesystem::permissions(path, std::filesystem::perms(0600));
    return path.string();
  }
  std::string truststore(const std::string& pem) const {
    return fmt::format("[truststores.ca]\nfile = \"{}\"\n", dir_.write("ca.pem", pem).string());
  }
  // [keystores.edge] of the PEM files "edge.pem" and "edge.key".
  std::string keystore(const Identity& identity) const {
    write_key(identity);
    return fmt::format("[keystores.edge]\ncertificate = \"{}\"\nprivate_key = \"{}\"\n",
                       file("edge.pem").string(), file("edge.key").string());
  }
  void write_key(const Identity& identity) const {
    dir_.write("edge.pem", identity.certificate_pem());
    secret("edge.key", identity.key_pem());
  }
  // [aliases.NAME] and, for it, a trigger of the same name with the filter "x".
  std::string alias(const std::string& name, const std::string& host,
                    const std::string& more = {}) const {
    return fmt::format(
               "[aliases.{0}]\nhost = \"{1}\"\nclient_id = \"client-{0}\"\n"
               "reconnect = {{ min = \"50ms\", max = \"500ms\" }}\n{2}\n",
               name, host, more) +
           trigger_table(name, name, "\"x\"", file(name));
  }
  // Of a mosquitto: a listener with TLS on `port`. With `clients`, they need a certificate.
  std::string listener(std::uint16_t port, const Identity& identity, bool clients = false,
                       const std::string& more = {}, const std::string& address = "127.0.0.1") {
    dir_.write("server.pem", identity.certificate_pem());
    secret("server.key", identity.key_pem());
    dir_.write("server-ca.pem", authority_.pem());
    return fmt::format(
        "listener {} {}\ncafile {}\ncertfile {}\nkeyfile {}\nrequire_certificate {}\n{}{}\n", port,
        address, file("server-ca.pem").string(), file("server.pem").string(),
        file("server.key").string(), clients, clients ? "use_identity_as_username true\n" : "",
        more);
  }
  // A message that is published at `server` gets to the trigger of alias `name`.
  void expect_delivery(const MosquittoServer& server, const std::string& name) const {
    const std::size_t before = records(file(name), "end").size();
    ASSERT_TRUE(TestClient(server.port()).publish("x", "hello"));
    EXPECT_TRUE(wait_for_records(file(name), before + 1));
  }

  TempDir dir_;
  CertificateAuthority authority_;
};

}  // namespace triggerd::test
