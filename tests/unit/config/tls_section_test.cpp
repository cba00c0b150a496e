// What a configuration says of TLS; what is wrong with one is in tests/golden/check/tls-*.
#include <gtest/gtest.h>

#include "config/load.hpp"
#include "support/temp_dir.hpp"

namespace triggerd::config {
namespace {

TEST(TlsSectionTest, ReadsEveryKey) {
  const test::TempDir folder;
  folder.write("password", "hunter2\n");
  folder.write("triggers.toml", R"(
[truststores.plant-ca]
file = "ca.pem"
[truststores.public]
file = "system"
[keystores.edge]
file = "certs/edge.p12"
password_file = "password"
[keystores.pair]
certificate = "edge.pem"
private_key = "/edge.key"
password = "hunter3"
[aliases.plant]
hosts = ["wss://one", "wss://two:1/x"]
truststore = "plant-ca"
keystore = "edge"
key_alias = "edge-1"
alpn = ["mqtt", "http/1.1"]
)");
  const auto config =
      load(folder / "triggers.toml", [](const std::string&) { return std::nullopt; });
  ASSERT_TRUE(config) << to_string(config.error()[0]);
  const Truststore* truststore = config->find_truststore("plant-ca");
  ASSERT_NE(truststore, nullptr);
  EXPECT_EQ(truststore->file, folder / "ca.pem");
  EXPECT_FALSE(truststore->system);
  EXPECT_EQ(to_string(truststore->file_place), (folder / "triggers.toml").string() + ":3:8");
  EXPECT_TRUE(config->find_truststore("public")->system);
  EXPECT_EQ(config->find_truststore("edge"), nullptr);
  const Keystore* edge = config->find_keystore("edge");
  ASSERT_NE(edge, nullptr);
  EXPECT_EQ(edge->file, folder / "certs/edge.p12");
  EXPECT_EQ(edge->password.reveal(), "hunter2");
  EXPECT_EQ(edge->password_file, folder / "password");
  EXPECT_EQ(edge->private_key_place.line, 7U);
  const Keystore* pair = config->find_keystore("pair");
  ASSERT_NE(pair, nullptr);
  EXPECT_EQ(pair->certificate, folder / "edge.pem");
  EXPECT_EQ(pair->private_key, "/edge.key");
  EXPECT_EQ(pair->password.reveal(), "hunter3");
  EXPECT_EQ(pair->file_place.line, 10U);
  EXPECT_EQ(pair->private_key_place.line, 11U);
  const Alias* alias = config->find_alias("plant");
  ASSERT_NE(alias, nullptr);
  EXPECT_TRUE(alias->has_tls());
  EXPECT_EQ(alias->servers[1].scheme, Server::Scheme::wss);
  EXPECT_EQ(alias->truststore, "plant-ca");
  EXPECT_EQ(alias->keystore, "edge");
  EXPECT_EQ(alias->key_alias, "edge-1");
  EXPECT_EQ(alias->key_alias_place.line, 17U);
  EXPECT_EQ(alias->alpn, (std::vector<std::string>{"mqtt", "http/1.1"}));
}

}  // namespace
}  // namespace triggerd::config
