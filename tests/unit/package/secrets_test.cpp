// What in a package is for its owner alone: told to whoever packs it, and kept so when it is
// installed, whatever the umask.
#include "package/secrets.hpp"

#include <sys/stat.h>
#include <unistd.h>

#include "package/durable.hpp"
#include "package/values.hpp"
#include "support/certificate_authority.hpp"
#include "unit/package/scene.hpp"

namespace triggerd::package {
namespace {

namespace fs = std::filesystem;
using test::pkcs12;
using test::self_signed;

unsigned mode_of(const fs::path& path) {
  struct stat status {};
  EXPECT_EQ(::stat(path.c_str(), &status), 0) << path;
  return status.st_mode & 07777;
}

class PackageSecretsTest : public Scene {
 protected:
  void write(const std::string& name, const std::string& text) {
    dir_.write("source/a/" + name, text);
    names_.push_back(name);
  }
  // "edge.key: a private key\n...", of all that was written.
  std::string found() const {
    std::string text;
    for (const SecretFile& secret : find_secrets(dir_ / "source/a", names_)) {
      text += secret.name + ": " + secret.what + "\n";
    }
    return text;
  }
  std::string found_in(const std::string& toml) {
    names_.clear();
    write("triggers.toml", toml);
    return found();
  }

  std::vector<std::string> names_;
};

TEST_F(PackageSecretsTest, KeysAndKeystoresAreFoundByTheirContent) {
  const test::Identity identity = self_signed();
  write("certs/ca.pem", identity.certificate_pem());
  write("certs/plain.pem", identity.key_pem());
  write("certs/encrypted.pem", identity.key_pem("hunter2"));
  write("certs/both.pem", identity.certificate_pem() + identity.key_pem());
  write("certs/store", pkcs12({{"edge", identity}}, "hunter2"));
  write("certs/java", std::string("\xfe\xed\xfe\xed\0\0\0\2", 8) + "x");
  write("plugins/a.so",
        "\x7f"
        "ELF ... -----BEGIN PRIVATE KEY----- ...");
  write("readme.txt", "keep the password to yourself");
  EXPECT_EQ(found(),
            "certs/plain.pem: a private key\n"
            "certs/encrypted.pem: a private key\n"
            "certs/both.pem: a private key\n"
            "certs/store: a keystore\n"
            "certs/java: a keystore\n");
}

TEST_F(PackageSecretsTest, OthersByTheirNameOrByWhatTheTomlSays) {
  write("triggers.toml",
        "[aliases.a]\npassword_file = \"certs/first\"\n"
        "[keystores.k]\ncertificate = \"certs/c\"\nprivate_key = \"./certs/second\"\n"
        "[[triggers]]\n[triggers.settings]\ntoken_file = \"certs/third\"\n");
  for (const char* name : {"certs/first", "certs/second", "certs/third", "certs/c", "db.password",
                           "secrets/x", "my-token.txt", "edge.p12", "tokenizer.so"}) {
    write(name, "x");
  }
  EXPECT_EQ(found(),
            "certs/first: a secret\n"
            "certs/second: a private key\n"
            "certs/third: a secret\n"
            "db.password: a secret, by its name\n"
            "secrets/x: a file in a folder named secrets\n"
            "my-token.txt: a secret, by its name\n"
            "edge.p12: a key or a keystore, by its name\n");
}

TEST_F(PackageSecretsTest, PasswordsInTomlAreFoundWhereverTheyStand) {
  const auto says = [](const std::string& key) { return "triggers.toml: " + key + "\n"; };
  EXPECT_EQ(found_in("[aliases.a]\nuser_name = \"u\"\npassword = \"hunter2\"\n"),
            says("aliases.a.password"));
  EXPECT_EQ(found_in("[aliases.a]\npassword = \"${PASSWORD:-hunter2}\"\n"),
            says("aliases.a.password"));
  EXPECT_EQ(found_in("[keystores.k]\npassword = \"hunter2\"\n"), says("keystores.k.password"));
  EXPECT_EQ(found_in("[[triggers]]\n[triggers.settings.headers]\nAuthorization = \"Bearer x\"\n"),
            says("triggers.0.settings.headers.Authorization"));
  for (const char* connection :
       {"postgresql://me:hunter2@db/plant", "host=db password=hunter2",
        "host=db password = 'hunter2'", "postgresql://db/plant?password=hunter2"}) {
    EXPECT_EQ(found_in(std::string("connection = \"") + connection + "\"\n"), says("connection"))
        << connection;
  }
  EXPECT_EQ(found_in("[aliases.a]\n# password = \"hunter2\"\n"), says("password in a comment"));
  EXPECT_EQ(found_in("a = "), says("TOML that cannot be parsed, and may contain a secret"));
  EXPECT_EQ(found_in("[aliases.a]\nhost = \"tcp://u@h:1883\"\npassword = \"${PASSWORD}\"\n"
                     "# password = \"${PASSWORD}\"\n# write password here = or not\n"
                     "[s]\nconnection = \"host=db password=${DB_PASSWORD}\"\n"
                     "uri = \"postgresql://me:${DB_PASSWORD}@db\"\n"),
            "");
}

TEST_F(PackageSecretsTest, AnArchiveWithOneIsForItsOwnerAloneAndSaysWhich) {
  dir_.write("source/a/package.toml", package_toml("a", "1"));
  dir_.write("source/a/triggers.toml", triggers_toml("a"));
  dir_.write("source/a/certs/edge.key", self_signed().key_pem());
  dir_.write("a.tar.gz", "an older one");
  fs::permissions(dir_ / "a.tar.gz", fs::perms(0644));
  const mode_t mask = ::umask(0);
  const auto packed = pack_package(dir_ / "source/a", dir_ / "a.tar.gz");
  ::umask(mask);
  ASSERT_TRUE(packed) << packed.error().message;
  EXPECT_EQ(mode_of(dir_ / "a.tar.gz"), 0600U);
  ASSERT_EQ(packed->secrets.size(), 1U);
  EXPECT_EQ(shown(warning_of(packed->secrets, dir_ / "a.tar.gz")),
            "a.tar.gz contains secrets in clear text, so only its owner may read it; whoever has "
            "the archive has them:\n  certs/edge.key: a private key");
  fs::remove(dir_ / "source/a/certs/edge.key");
  const auto open = pack_package(dir_ / "source/a", dir_ / "a.tar.gz");
  ASSERT_TRUE(open);
  EXPECT_TRUE(open->secrets.empty());
  EXPECT_EQ(mode_of(dir_ / "a.tar.gz"), 0644U);
}

TEST_F(PackageSecretsTest, InstalledOnesAreForTheirOwnerAloneWhateverTheUmask) {
  const std::string toml =
      "[aliases.a]\nhost = \"tcp://localhost\"\nuser_name = \"u\"\npassword = \"hunter2\"\n";
  dir_.write("source/a-1/certs/edge.key", self_signed().key_pem());
  dir_.write("source/a-1/certs/ca.pem", self_signed().certificate_pem());
  dir_.write("source/a-1/certs/store", pkcs12({{"edge", self_signed()}}, "hunter2"));
  const fs::path file = archive("a", "1", "", toml);
  for (const mode_t mask : {0U, 0022U, 0277U}) {
    const mode_t before = ::umask(mask);
    const auto installed = packages().install(file);
    ::umask(before);
    ASSERT_TRUE(installed) << installed.error().message;
    for (const char* name : {"triggers.toml", "certs/edge.key", "certs/store"}) {
      EXPECT_EQ(mode_of(dir_ / "packages/a" / name), 0600U) << name << " with umask " << mask;
    }
    for (const char* name : {"package.toml", "certs/ca.pem", "plugins/a.so"}) {
      EXPECT_EQ(mode_of(dir_ / "packages/a" / name), 0644U) << name << " with umask " << mask;
    }
  }
}

// Whoever runs the runtime has to read it, whoever installs it.
TEST_F(PackageSecretsTest, WhatIsInstalledBelongsToTheOwnerOfTheFolderThatItIsPutInto) {
  constexpr uid_t kSomebody = 65'534;
  const uid_t owner = ::geteuid() == 0 ? kSomebody : ::geteuid();
  ASSERT_EQ(::chown(dir_.path().c_str(), owner, static_cast<gid_t>(-1)), 0);
  dir_.write("source/a-1/certs/edge.key", self_signed().key_pem());
  const fs::path file = archive("a", "1");
  const auto installed = packages().install(file, [] {
    config::LocalValues local;
    EXPECT_TRUE(add_value("a.password=hunter2", local) && add_value("a.user_name=u", local));
    return local;
  }());
  ASSERT_TRUE(installed) << installed.error().message;
  ASSERT_TRUE(packages().disable("a"));
  for (const char* name :
       {"packages", "packages/.lock", "packages/a", "packages/a/certs", "packages/a/certs/edge.key",
        "packages/a/local.toml", "var", "var/packages.toml"}) {
    struct stat status {};
    ASSERT_EQ(::lstat((dir_ / name).c_str(), &status), 0) << name;
    EXPECT_EQ(status.st_uid, owner) << name;
  }
}

TEST_F(PackageSecretsTest, AChangeThatIsNotConfirmedLeavesWhatWasThere) {
  const auto refuse = [](const std::string& name) -> Result<> { return fail("{}: no", name); };
  EXPECT_EQ(error_of(packages().install(archive("a", "1"), {}, false, refuse)), "a: no");
  EXPECT_EQ(packages_tree(), "");
  install(dir_ / "a-1.tar.gz");
  const std::string before = packages_tree();
  std::string meanwhile;
  const auto look = [&](const std::string&) -> Result<> {
    meanwhile = listed();
    return fail("no");
  };
  EXPECT_EQ(error_of(packages().install(archive("a", "2"), {}, false, look)), "no");
  EXPECT_EQ(meanwhile, "a 2 enabled");
  EXPECT_EQ(packages_tree(), before);
  ASSERT_TRUE(packages().disable("a"));
  EXPECT_EQ(error_of(packages().enable("a", look)), "no");
  EXPECT_EQ(meanwhile, "a 1 enabled");
  EXPECT_EQ(listed(), "a 1 disabled");
  ASSERT_TRUE(packages().remove("a"));
  EXPECT_EQ(error_of(packages().install(dir_ / "a-1.tar.gz", {}, false, refuse)), "a: no");
  EXPECT_EQ(listed(), "");
  for (const auto& entry : fs::directory_iterator(dir_ / "packages")) {
    EXPECT_EQ(entry.path().filename(), ".lock");
  }
}

TEST_F(PackageSecretsTest, OneWhoseAliasTheOwnFilesUseIsNotRemoved) {
  install(archive("a", "1"));
  dir_.write("triggers.toml",
             "[[triggers]]\nname = \"own\"\nalias = \"a\"\ntopics = [\"b\"]\nservice = \"log\"\n");
  EXPECT_EQ(error_of(packages().remove("a")),
            "package \"a\" cannot be removed:\nthe configuration has errors:\n"
            "triggers.toml:3:9: error: there is no alias \"a\"");
  EXPECT_EQ(listed(), "a 1 enabled");
}

}  // namespace
}  // namespace triggerd::package
