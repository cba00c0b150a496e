// Truststores, what an alias makes of its stores, and new files in the place of old ones.
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <fstream>

#include "config/config.hpp"
#include "mqtt/tls/certificate.hpp"
#include "mqtt/tls/rotation.hpp"
#include "mqtt/tls/ssl_options.hpp"
#include "mqtt/tls/truststore.hpp"
#include "support/capture_log.hpp"
#include "support/certificate_authority.hpp"
#include "support/fake_clock.hpp"
#include "support/temp_dir.hpp"

namespace triggerd::mqtt::tls {
namespace {

using triggerd::test::CaptureLog;
using triggerd::test::CertificateAuthority;
using triggerd::test::FakeClock;
using triggerd::test::Identity;
using triggerd::test::TempDir;

constexpr std::chrono::hours kDay{24};

std::string content_of_file(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

class TlsMaterialTest : public testing::Test {
 protected:
  TlsMaterialTest() {
    write_key(edge_);
    config::Truststore truststore;
    truststore.name = "plant-ca";
    truststore.file = dir_.write("ca.pem", authority_.pem());
    truststore.file_place = {"triggers.toml", 2, 8};
    config_.truststores.push_back(truststore);
    config::Keystore keystore;
    keystore.name = "edge";
    keystore.certificate = dir_ / "edge.pem";
    keystore.private_key = dir_ / "edge.key";
    keystore.file_place = {"triggers.toml", 4, 15};
    keystore.private_key_place = {"triggers.toml", 5, 15};
    config_.keystores.push_back(keystore);
    config::Alias alias;
    alias.name = "plant";
    alias.servers = {{.scheme = config::Server::Scheme::ssl, .host = "localhost", .port = 8883}};
    alias.truststore = "plant-ca";
    alias.keystore = "edge";
    alias.keystore_place = {"triggers.toml", 10, 12};
    alias.key_alias_place = {"triggers.toml", 11, 13};
    config_.aliases.push_back(alias);
  }
  void write_key(const Identity& identity) const {
    dir_.write("edge.pem", identity.certificate_pem());
    std::filesystem::permissions(dir_.write("edge.key", identity.key_pem()),
                                 std::filesystem::perms(0600));
  }
  MaterialPtr load() const {
    auto material = load_material(config_, config_.aliases[0]);
    EXPECT_TRUE(material) << material.error().message;
    return material ? *material : nullptr;
  }
  std::string error() const {
    const auto material = load_material(config_, config_.aliases[0]);
    return material ? "" : config::to_string(material.error());
  }

  TempDir dir_;
  CertificateAuthority authority_;
  Identity edge_ = authority_.issue({.name = "edge-1"});
  config::Config config_;
};

TEST_F(TlsMaterialTest, FilesInMemoryHoldWhatWasReadAndAreSealed) {
  const MaterialPtr material = load();
  EXPECT_EQ(content_of_file(material->truststore_file()), authority_.pem());
  EXPECT_EQ(content_of_file(material->certificate_file()), edge_.certificate_pem());
  EXPECT_EQ(content_of_file(material->key_file()), edge_.key_pem());
  struct stat status {};
  ASSERT_EQ(::stat(material->key_file().c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 0777U, 0400U);
  std::ofstream out(material->key_file(), std::ios::app);
  out << "more" << std::flush;
  EXPECT_FALSE(out) << "nobody can change it";
}

TEST_F(TlsMaterialTest, TheirPathsEndWithThem) {
  MaterialPtr material = load();
  const std::string path = material->key_file();
  const std::string key = edge_.key_pem();
  EXPECT_EQ(content_of_file(path), key);
  material.reset();
  EXPECT_NE(content_of_file(path), key);
}

TEST_F(TlsMaterialTest, SaysWhoWeAreAndUntilWhen) {
  const MaterialPtr material = load();
  EXPECT_EQ(material->key_name(), "keystore \"edge\" (CN=edge-1)");
  ASSERT_TRUE(material->not_after());
  const auto left = *material->not_after() - system_clock().wall();
  EXPECT_GT(left, 364 * kDay);
  EXPECT_LE(left, 365 * kDay);
  config_.aliases[0].keystore.clear();
  EXPECT_FALSE(load()->not_after());
  EXPECT_EQ(load()->key_file(), "");
}

TEST_F(TlsMaterialTest, RemarksOnExpiry) {
  const MaterialPtr material = load();
  const Wall now = system_clock().wall();
  const auto at = [&](Wall when) {
    std::string text;
    for (const Remark& remark : material->remarks(when)) text += to_string(remark) + '\n';
    return text;
  };
  EXPECT_NE(at(now).find("triggers.toml:4:15: note: the certificate of keystore \"edge\" "
                         "(CN=edge-1) is valid until "),
            std::string::npos)
      << at(now);
  EXPECT_NE(at(now).find(" UTC, 364 days from now\n"), std::string::npos) << at(now);
  EXPECT_EQ(at(now).find("plant-ca"), std::string::npos) << "a CA that is good needs no word";
  EXPECT_NE(at(now + 340 * kDay).find("4:15: warning: "), std::string::npos);
  EXPECT_NE(at(now + 340 * kDay)
                .find("triggers.toml:2:8: warning: the certificate of CN=Test CA in truststore "
                      "\"plant-ca\" is valid until "),
            std::string::npos)
      << at(now + 340 * kDay);
  EXPECT_NE(at(now + 366 * kDay).find("expired on "), std::string::npos);
  EXPECT_NE(at(now - 2 * kDay).find("is not valid before "), std::string::npos);
}

// RFC 5280, section 4.1.2.5, has one without an end say 9999.
TEST_F(TlsMaterialTest, ACertificateWithoutAnEndIsGood) {
  constexpr std::chrono::seconds kChristmas9999{253'401'652'800};
  const Wall now = system_clock().wall();
  write_key(authority_.issue(
      {.name = "edge-1",
       .to = kChristmas9999 - std::chrono::floor<std::chrono::seconds>(now.time_since_epoch())}));
  const auto remarks = load()->remarks(now);
  ASSERT_EQ(remarks.size(), 1U);
  EXPECT_EQ(remarks[0].level, LogLevel::info) << remarks[0].text;
  EXPECT_NE(remarks[0].text.find("is valid until 9999-12-24 12:00:"), std::string::npos)
      << remarks[0].text;
}

TEST_F(TlsMaterialTest, AFolderIsTakenWhole) {
  const CertificateAuthority other("Other CA");
  dir_.write("folder/one.pem", authority_.pem());
  dir_.write("folder/2.0", other.pem() + authority_.pem());
  dir_.write("folder/README", "no certificate");
  dir_.write("folder/.hidden", "-----BEGIN CERTIFICATE-----\nno\n-----END CERTIFICATE-----\n");
  config_.truststores[0].file = dir_ / "folder";
  const auto loaded = load_truststore(config_.truststores[0]);
  ASSERT_TRUE(loaded) << loaded.error().message;
  EXPECT_EQ(loaded->certificates.size(), 2U) << "each once";
}

TEST_F(TlsMaterialTest, TruststoresThatHoldNothing) {
  dir_.write("ca.pem", "hello");
  EXPECT_NE(error().find("triggers.toml:2:8: error: truststore \"plant-ca\": "), std::string::npos);
  EXPECT_NE(error().find("ca.pem holds no certificate in PEM form"), std::string::npos);
  std::filesystem::remove(dir_ / "ca.pem");
  EXPECT_NE(error().find("cannot open "), std::string::npos);
  dir_.write("empty/x", "");
  config_.truststores[0].file = dir_ / "empty";
  EXPECT_NE(error().find("empty holds no certificate"), std::string::npos);
}

TEST_F(TlsMaterialTest, ATruststoreWithoutARootIsRemarkedUpon) {
  const CertificateAuthority middle(authority_, "Middle CA");
  dir_.write("ca.pem", middle.pem());
  const auto remarks = load()->remarks(system_clock().wall());
  ASSERT_FALSE(remarks.empty());
  EXPECT_EQ(remarks[0].level, LogLevel::warn);
  EXPECT_NE(remarks[0].text.find("holds no root certificate"), std::string::npos);
}

TEST_F(TlsMaterialTest, TheSystemsTruststoreIsTheLibrarysOwn) {
  config_.truststores[0].system = true;
  const MaterialPtr material = load();
  EXPECT_EQ(material->truststore_file(), "");
  const auto options = ssl_options(*material, nullptr, nullptr);
  EXPECT_EQ(options.disableDefaultTrustStore, 0);
  EXPECT_EQ(options.trustStore, nullptr);
}

TEST_F(TlsMaterialTest, VerificationIsAlwaysOn) {
  config_.aliases[0].alpn = {"mqtt", "x"};
  const MaterialPtr material = load();
  const auto options = ssl_options(*material, nullptr, nullptr);
  EXPECT_EQ(options.enableServerCertAuth, 1);
  EXPECT_EQ(options.verify, 1);
  EXPECT_EQ(options.disableDefaultTrustStore, 1) << "nobody else is trusted";
  EXPECT_EQ(std::string(reinterpret_cast<const char*>(options.protos), options.protos_len),
            std::string("\4mqtt\1x"));
}

TEST_F(TlsMaterialTest, TheReasonInAnErrorLine) {
  EXPECT_EQ(reason_in("7F00:error:0A000086:SSL routines:tls_process:certificate verify failed:"
                      "../ssl/statem/clnt.c:1889:\n"),
            "certificate verify failed");
  EXPECT_EQ(reason_in("something else"), "something else");
}

TEST_F(TlsMaterialTest, StoresReportsEachOnceAndUnusedOnesToo) {
  config_.aliases.push_back(config_.aliases[0]);
  config_.aliases[1].name = "second";
  config::Truststore unused;
  unused.name = "unused";
  unused.file = dir_ / "nowhere";
  unused.file_place = {"triggers.toml", 20, 8};
  config_.truststores.push_back(unused);
  dir_.write("edge.key", "hello");
  const auto stores = Stores::load(config_);
  ASSERT_FALSE(stores);
  ASSERT_EQ(stores.error().size(), 2U);
  EXPECT_EQ(stores.error()[0].place.line, 5U) << stores.error()[0].message;
  EXPECT_EQ(stores.error()[1].place.line, 20U) << stores.error()[1].message;
}

TEST_F(TlsMaterialTest, APasswordFileIsReadAgain) {
  dir_.write("edge.pem", edge_.certificate_pem());
  dir_.write("edge.key", edge_.key_pem("new"));
  config_.keystores[0].password = config::Secret("old");
  config_.keystores[0].password_file = dir_.write("password", "new\n");
  EXPECT_EQ(error(), "");
}

class TlsRotationTest : public TlsMaterialTest {
 protected:
  TlsRotationTest() : stores_(Stores::load(config_).value()) {
    // The certificates are of today.
    clock_.advance(std::chrono::duration_cast<Millis>(system_clock().wall() - clock_.wall()));
    current_ = stores_.of("plant");
    current_->on_change(owner_, [this] { ++changes_; });
    rotation_.emplace(config_, stores_, clock_, log_);
  }
  // Long enough to see a change, and that it has settled.
  void looks() {
    rotation_->look();
    rotation_->look();
  }

  FakeClock clock_;
  CaptureLog log_;
  Stores stores_;
  std::shared_ptr<Current> current_;
  std::optional<Rotation> rotation_;
  std::shared_ptr<int> owner_ = std::make_shared<int>();
  int changes_ = 0;
};

TEST_F(TlsRotationTest, ThoseWhoAreGoneAreForgotten) {
  for (int i = 0; i < 1'000; ++i) {
    const auto gone = std::make_shared<int>();
    current_->on_change(gone, [this] { changes_ += 100; });
  }
  EXPECT_LE(current_->listeners(), 2U);
  current_->set(current_->get());
  EXPECT_EQ(changes_, 1);
  owner_.reset();
  current_->set(current_->get());
  EXPECT_EQ(changes_, 1);
  EXPECT_EQ(current_->listeners(), 0U);
}

TEST_F(TlsRotationTest, GoodNewFilesAreTakenOnceTheyHaveSettled) {
  const MaterialPtr before = current_->get();
  looks();
  EXPECT_EQ(changes_, 0);
  write_key(authority_.issue({.name = "edge-2"}));
  rotation_->look();
  EXPECT_EQ(changes_, 0) << "they may still be written";
  rotation_->look();
  EXPECT_EQ(changes_, 1);
  EXPECT_EQ(current_->get()->key_name(), "keystore \"edge\" (CN=edge-2)");
  EXPECT_EQ(content_of_file(before->key_file()), edge_.key_pem()) << "who has the old one keeps it";
  looks();
  EXPECT_EQ(changes_, 1);
  EXPECT_EQ(log_.lines("tls.rotated").size(), 1U);
}

TEST_F(TlsRotationTest, AChangeBeforeTheFirstLookIsSeen) {
  write_key(authority_.issue({.name = "edge-2"}));
  looks();
  EXPECT_EQ(changes_, 1);
}

TEST_F(TlsRotationTest, BadNewFilesChangeNothingAndAreNamedOnce) {
  const MaterialPtr before = current_->get();
  dir_.write("edge.pem", authority_.issue({.name = "edge-2"}).certificate_pem());
  looks();
  looks();
  EXPECT_EQ(changes_, 0);
  EXPECT_EQ(current_->get(), before);
  ASSERT_EQ(log_.lines("tls.rotation_refused").size(), 1U);
  EXPECT_NE(log_.last("tls.rotation_refused").find("does not match the certificate in "),
            std::string::npos);
  std::filesystem::remove(dir_ / "edge.key");
  looks();
  EXPECT_NE(log_.last("tls.rotation_refused").find("cannot open "), std::string::npos);
  EXPECT_EQ(current_->get(), before);
}

TEST_F(TlsRotationTest, APairThatIsReplacedOneAfterTheOtherIsTakenWithTheSecond) {
  const Identity next = authority_.issue({.name = "edge-2"});
  dir_.write("edge.pem", next.certificate_pem());
  looks();
  dir_.write("edge.key", next.key_pem());
  looks();
  EXPECT_EQ(changes_, 1);
  EXPECT_EQ(current_->get()->key_name(), "keystore \"edge\" (CN=edge-2)");
}

TEST_F(TlsRotationTest, TheSameContentWrittenAgainIsNoChange) {
  write_key(edge_);
  looks();
  EXPECT_EQ(changes_, 0);
  EXPECT_TRUE(log_.lines("tls.rotated").empty());
}

TEST_F(TlsRotationTest, ANewCaInAFolderThatALinkLeadsTo) {
  dir_.write("v1/ca.pem", authority_.pem());
  std::filesystem::create_directory_symlink("v1", dir_ / "now");
  config_.truststores[0].file = dir_ / "now";
  stores_ = Stores::load(config_).value();
  current_ = stores_.of("plant");
  rotation_.emplace(config_, stores_, clock_, log_);
  dir_.write("v2/ca.pem", CertificateAuthority("Next CA").pem() + authority_.pem());
  std::filesystem::create_directory_symlink("v2", dir_ / "next");
  std::filesystem::rename(dir_ / "next", dir_ / "now");  // as containers mount secrets
  const MaterialPtr before = current_->get();
  looks();
  EXPECT_NE(current_->get(), before);
}

TEST_F(TlsRotationTest, AgesAreToldAtTheStartAndWarnedOfDaily) {
  const Identity old = authority_.issue({.name = "old", .to = std::chrono::hours(48)});
  write_key(old);
  looks();
  rotation_->report_ages();
  const auto count = [this] { return log_.lines("tls.certificate").size(); };
  const std::size_t told = count();
  EXPECT_GE(told, 2U);
  clock_.advance(std::chrono::hours(23));
  looks();
  EXPECT_EQ(count(), told);
  clock_.advance(std::chrono::hours(2));
  looks();
  EXPECT_EQ(count(), told + 1);
  EXPECT_EQ(log_.lines("tls.certificate").back().level, LogLevel::warn);
}

}  // namespace
}  // namespace triggerd::mqtt::tls
