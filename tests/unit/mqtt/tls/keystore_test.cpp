// Keystores: PKCS#12 with several keys, PEM pairs, passwords, and what is said of bad ones.
#include "mqtt/tls/keystore.hpp"

#include <gtest/gtest.h>
#include <openssl/pem.h>

#include "config/tls_stores.hpp"
#include "support/certificate_authority.hpp"
#include "support/temp_dir.hpp"

namespace triggerd::mqtt::tls {
namespace {

using triggerd::test::CertificateAuthority;
using triggerd::test::Identity;
using triggerd::test::pkcs12;
using triggerd::test::TempDir;

class TlsKeystoreTest : public testing::Test {
 protected:
  // A file that only its owner can read.
  std::filesystem::path secret(const std::string& name, const std::string& content) const {
    auto path = dir_.write(name, content);
    std::filesystem::permissions(path, std::filesystem::perms(0600));
    return path;
  }
  config::Keystore p12(const std::string& bytes, const std::string& password) const {
    config::Keystore section;
    section.name = "edge";
    section.file = secret("edge.p12", bytes);
    section.password = config::Secret(password);
    return section;
  }
  config::Keystore pem(const std::string& certificate, const std::string& key,
                       const std::string& password = {}) const {
    config::Keystore section;
    section.name = "edge";
    section.certificate = dir_.write("edge.pem", certificate);
    section.private_key = secret("edge.key", key);
    section.password = config::Secret(password);
    return section;
  }
  static std::string error_of(const config::Keystore& section) {
    const auto loaded = load_keystore(section);
    return loaded ? "" : loaded.error().message;
  }
  static std::string subject(const Key& key) { return subject_of(key.chain.front().get()); }

  TempDir dir_;
  CertificateAuthority root_;
  CertificateAuthority middle_{root_, "Middle CA"};
  Identity one_ = middle_.issue({.name = "one"});
  Identity two_ = middle_.issue({.name = "two"});
};

TEST_F(TlsKeystoreTest, AKeyOfSeveralIsFoundByItsFriendlyName) {
  const auto loaded = load_keystore(p12(
      pkcs12({{"edge-1", one_}, {"edge-2", two_}}, "hunter2", {middle_.identity()}), "hunter2"));
  ASSERT_TRUE(loaded) << loaded.error().message;
  ASSERT_EQ(loaded->keys.size(), 2U);
  const auto key = find_key(*loaded, "edge-2", "edge");
  ASSERT_TRUE(key) << key.error().message;
  EXPECT_EQ(subject(**key), "CN=two");
  ASSERT_EQ((*key)->chain.size(), 2U) << "its own certificate and the one above it, not the root";
  EXPECT_EQ(subject_of((*key)->chain[1].get()), "CN=Middle CA");
  EXPECT_EQ(EVP_PKEY_eq((*key)->key.get(), two_.key.get()), 1);
}

TEST_F(TlsKeystoreTest, SeveralKeysNeedAKeyAlias) {
  const auto loaded =
      load_keystore(p12(pkcs12({{"edge-1", one_}, {"edge-2", two_}}, "hunter2"), "hunter2"));
  ASSERT_TRUE(loaded) << loaded.error().message;
  EXPECT_EQ(find_key(*loaded, "", "edge").error().message,
            "keystore \"edge\" holds 2 keys (\"edge-1\", \"edge-2\"); write key_alias");
  EXPECT_EQ(find_key(*loaded, "edge-3", "edge").error().message,
            "keystore \"edge\" has no key \"edge-3\", only \"edge-1\", \"edge-2\"; did you mean "
            "\"edge-1\"?");
}

TEST_F(TlsKeystoreTest, AKeyAliasIsFoundInAnotherCaseWhereThatIsOneKeyAlone) {
  const auto loaded = load_keystore(
      p12(pkcs12({{"edge-1", one_}, {"Edge-2", two_}, {"EDGE-2", one_}}, "hunter2"), "hunter2"));
  ASSERT_TRUE(loaded) << loaded.error().message;
  const auto key = find_key(*loaded, "Edge-1", "edge");
  ASSERT_TRUE(key) << key.error().message;
  EXPECT_EQ(subject(**key), "CN=one");
  EXPECT_EQ(subject(*find_key(*loaded, "Edge-2", "edge").value()), "CN=two") << "as it is written";
  EXPECT_EQ(find_key(*loaded, "edge-2", "edge").error().message,
            "keystore \"edge\" has no key \"edge-2\", and several that differ from it in case: "
            "\"edge-1\", \"Edge-2\", \"EDGE-2\"");
}

TEST_F(TlsKeystoreTest, TheOnlyKeyNeedsNone) {
  const auto loaded = load_keystore(p12(pkcs12({{"edge-1", one_}}, "hunter2"), "hunter2"));
  ASSERT_TRUE(loaded) << loaded.error().message;
  EXPECT_EQ(subject(*find_key(*loaded, "", "edge").value()), "CN=one");
  EXPECT_EQ(subject(*find_key(*loaded, "edge-1", "edge").value()), "CN=one");
  EXPECT_FALSE(find_key(*loaded, "edge", "edge")) << "a wrong one is wrong all the same";
}

TEST_F(TlsKeystoreTest, AnEmptyPasswordWorks) {
  const auto loaded = load_keystore(p12(pkcs12({{"edge-1", one_}}, ""), ""));
  ASSERT_TRUE(loaded) << loaded.error().message;
}

TEST_F(TlsKeystoreTest, WrongAndMissingPasswordsAreToldApart) {
  const std::string bytes = pkcs12({{"edge-1", one_}}, "hunter2");
  EXPECT_NE(error_of(p12(bytes, "hunter3")).find("edge.p12: wrong password, or it is damaged"),
            std::string::npos);
  EXPECT_NE(error_of(p12(bytes, "")).find("it is encrypted; write password or password_file"),
            std::string::npos);
  const std::string key = one_.key_pem("hunter2");
  EXPECT_NE(error_of(pem(one_.certificate_pem(), key, "hunter3")).find("wrong password"),
            std::string::npos);
  EXPECT_NE(error_of(pem(one_.certificate_pem(), key)).find("is encrypted; write password"),
            std::string::npos);
  EXPECT_EQ(error_of(pem(one_.certificate_pem(), key, "hunter2")), "");
}

TEST_F(TlsKeystoreTest, PemPairWithItsChainInAnyOrder) {
  const auto loaded =
      load_keystore(pem(root_.pem() + middle_.pem() + one_.certificate_pem(), one_.key_pem()));
  ASSERT_TRUE(loaded) << loaded.error().message;
  const Key& key = *find_key(*loaded, "", "edge").value();
  ASSERT_EQ(key.chain.size(), 2U);
  EXPECT_EQ(subject(key), "CN=one");
  EXPECT_EQ(find_key(*loaded, "one", "edge").error().message,
            "keystore \"edge\" holds one key, which has no name; remove key_alias");
}

TEST_F(TlsKeystoreTest, AKeyThatDoesNotMatchIsNamedWithBothFiles) {
  const auto loaded = load_keystore(pem(one_.certificate_pem(), two_.key_pem()));
  ASSERT_FALSE(loaded);
  EXPECT_TRUE(loaded.error().of_key);
  const std::string& message = loaded.error().message;
  EXPECT_NE(message.find("edge.key does not match the certificate in "), std::string::npos);
  EXPECT_NE(message.find("edge.pem (CN=one)"), std::string::npos) << message;
}

TEST_F(TlsKeystoreTest, KeysThatEverybodyCanReadAreRefused) {
  const config::Keystore pair = pem(one_.certificate_pem(), one_.key_pem());
  std::filesystem::permissions(pair.private_key, std::filesystem::perms(0644));
  EXPECT_NE(error_of(pair).find("can be read by everybody (mode 0644); run chmod o= "),
            std::string::npos);
  std::filesystem::permissions(pair.private_key, std::filesystem::perms(0640));
  EXPECT_EQ(error_of(pair), "");
  const config::Keystore file = p12(pkcs12({{"edge-1", one_}}, "hunter2"), "hunter2");
  std::filesystem::permissions(file.file, std::filesystem::perms(0604));
  EXPECT_NE(error_of(file).find("can be read by everybody"), std::string::npos);
}

TEST_F(TlsKeystoreTest, FilesThatAreSomethingElse) {
  EXPECT_NE(error_of(p12("hello", "")).find("it is not a PKCS#12 file"), std::string::npos);
  const std::string bytes = pkcs12({{"edge-1", one_}}, "hunter2");
  EXPECT_NE(error_of(p12(bytes.substr(0, bytes.size() / 2), "hunter2")).find("not a PKCS#12 file"),
            std::string::npos);
  EXPECT_NE(error_of(pem("hello", one_.key_pem())).find("holds no certificate in PEM form"),
            std::string::npos);
  EXPECT_NE(error_of(pem(one_.certificate_pem(), "hello")).find("holds no private key in PEM form"),
            std::string::npos);
  std::string damaged = one_.certificate_pem();
  damaged[60] = damaged[60] == 'A' ? 'B' : 'A';
  damaged.insert(90, "!!");
  EXPECT_NE(error_of(pem(damaged, one_.key_pem())).find("certificate 1 in it is malformed"),
            std::string::npos);
  config::Keystore missing;
  missing.name = "edge";
  missing.file = dir_ / "nowhere.p12";
  EXPECT_NE(error_of(missing).find("cannot open "), std::string::npos);
}

TEST_F(TlsKeystoreTest, ACertificateOfAnotherKeyInPkcs12) {
  Identity mixed{one_.certificate, two_.key};
  EXPECT_NE(error_of(p12(pkcs12({{"edge-1", mixed}}, "x"), "x"))
                .find("no certificate in it matches the private key \"edge-1\""),
            std::string::npos);
}

TEST_F(TlsKeystoreTest, WhatTheLibraryGetsIsNotEncrypted) {
  const auto loaded = load_keystore(p12(pkcs12({{"edge-1", one_}}, "hunter2"), "hunter2"));
  ASSERT_TRUE(loaded) << loaded.error().message;
  EXPECT_EQ(loaded->keys[0].key_pem(), one_.key_pem());
  EXPECT_EQ(loaded->keys[0].chain_pem(), one_.certificate_pem());
}

}  // namespace
}  // namespace triggerd::mqtt::tls
