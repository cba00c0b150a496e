// Packages with keys and passwords in them, and packages that turn out broken, in a runtime that
// runs: what is installed runs or leaves nothing, and what is broken costs itself alone.
#include <signal.h>
#include <sys/stat.h>

#include <fstream>

#include "integration/tls_fixture.hpp"

namespace triggerd::test {
namespace {

namespace fs = std::filesystem;

class PackageInstallTest : public TlsFixture {
 protected:
  void SetUp() override {
    triggerd_.write_config("[admin]\nlisten = \"\"\nmanage = true\n" + runtime_table() +
                           alias_table("own", server_.port()) +
                           trigger_table("own", "own", "\"own\"", file("own")));
    triggerd_.start();
    ASSERT_TRUE(triggerd_.wait_for_event("runtime.ready")) << triggerd_.output();
  }
  void TearDown() override { EXPECT_EQ(triggerd_.stop(), Exit{}) << triggerd_.output(); }

  // A package with an alias of its name, whose keys are `keys`, and a trigger of its name.
  void write(const std::string& folder, const std::string& name, const std::string& version,
             const std::string& keys, const std::string& more = {}) {
    write_into(folder, "package.toml",
               fmt::format("name = \"{}\"\nversion = \"{}\"\n", name, version));
    write_into(folder, "triggers.toml",
               fmt::format("[aliases.{}]\nclient_id = \"client-{}\"\n{}\n{}\n", name, name, keys,
                           trigger_table(name, name, "\"" + name + "\"", file(name), more)));
  }
  static void write_into(const fs::path& folder, const std::string& name,
                         const std::string& content) {
    fs::create_directories((folder / name).parent_path());
    std::ofstream(folder / name, std::ios::binary) << content;
    fs::permissions(folder / name, fs::perms(0644));
  }
  std::string plain() const { return fmt::format("host = \"tcp://localhost:{}\"", server_.port()); }
  fs::path installed(const std::string& name) const { return triggerd_.dir() / "packages" / name; }

  struct Said {
    int code;
    std::string text;
  };
  Said triggerctl(const std::string& arguments) {
    Process process({"/bin/sh", "-c", fmt::format("umask 0; {} {}", TRIGGERCTL_BINARY, arguments)},
                    {triggerd_.dir().path(), {}});
    const auto exit = process.wait();
    return {exit ? exit->code : -1, process.output()};
  }
  bool reload() {
    from_ = triggerd_.process().line_count();
    triggerd_.process().signal(SIGHUP);
    return triggerd_.wait_for_event("runtime.reloaded", {}, from_).has_value();
  }
  static unsigned mode_of(const fs::path& path) {
    struct stat status {};
    EXPECT_EQ(::stat(path.c_str(), &status), 0) << path;
    return status.st_mode & 07777;
  }
  void expect_handles(const std::string& name) {
    const std::size_t before = records(file(name), "end").size();
    ASSERT_TRUE(TestClient(server_.port()).publish(name, "x", 1));
    EXPECT_TRUE(wait_for_records(file(name), before + 1)) << name << "\n" << triggerd_.output();
  }

  ReservedPort port_;
  MosquittoServer server_{
      {.extra_config = listener(port_.number(), authority_.issue(), true, "max_connections -1")}};
  TriggerdProcess triggerd_{""};
  std::size_t from_ = 0;
};

TEST_F(PackageInstallTest, OneThatCarriesAKeyRunsAndItsKeyIsForItsOwnerAlone) {
  const fs::path folder = dir_ / "source";
  write(folder, "edge", "1",
        fmt::format("host = \"ssl://localhost:{}\"\ntruststore = \"plant\"\nkeystore = \"edge\"\n"
                    "user_name = \"u\"\npassword_file = \"certs/login\"",
                    port_.number()));
  const Identity identity = authority_.issue({.name = "edge"});
  write_into(folder, "certs/ca.pem", authority_.pem());
  write_into(folder, "certs/edge.pem", identity.certificate_pem());
  write_into(folder, "certs/edge.key", identity.key_pem());
  write_into(folder, "certs/login", "hunter2");
  std::ofstream(folder / "triggers.toml", std::ios::app)
      << "[truststores.plant]\nfile = \"certs/ca.pem\"\n[keystores.edge]\n"
         "certificate = \"certs/edge.pem\"\nprivate_key = \"certs/edge.key\"\n";
  const Said packed = triggerctl(fmt::format("package pack {} -o edge.tar.zst", folder.string()));
  ASSERT_EQ(packed.code, 0) << packed.text;
  EXPECT_NE(packed.text.find("warning: edge.tar.zst contains secrets in clear text"),
            std::string::npos)
      << packed.text;
  EXPECT_NE(packed.text.find("certs/edge.key: a private key"), std::string::npos) << packed.text;
  EXPECT_NE(packed.text.find("certs/login: a secret"), std::string::npos) << packed.text;
  EXPECT_EQ(mode_of(triggerd_.dir() / "edge.tar.zst"), 0600U);

  const Said done = triggerctl("package install edge.tar.zst");
  ASSERT_EQ(done.code, 0) << done.text << triggerd_.output();
  ASSERT_TRUE(triggerd_.wait_for_event("trigger.running", {"trigger=edge"})) << triggerd_.output();
  expect_handles("edge");
  EXPECT_EQ(mode_of(installed("edge") / "certs/edge.key"), 0600U);
  EXPECT_EQ(mode_of(installed("edge") / "certs/login"), 0600U);
  EXPECT_EQ(mode_of(installed("edge") / "certs/ca.pem"), 0644U);
}

TEST_F(PackageInstallTest, AnInstallThatTheRuntimeRefusesLeavesNothing) {
  const fs::path folder = dir_ / "source";
  const std::string tls = fmt::format(
      "host = \"ssl://localhost:{}\"\ntruststore = \"plant\"\n[truststores.plant]\n"
      "file = \"ca.pem\"",
      port_.number());
  write(folder, "edge", "1", tls);
  write_into(folder, "ca.pem", "no certificate");
  ASSERT_EQ(triggerctl(fmt::format("package pack {} -o bad.tar.gz", folder.string())).code, 0);
  const Said refused = triggerctl("package install bad.tar.gz");
  EXPECT_EQ(refused.code, 2) << refused.text;
  EXPECT_NE(refused.text.find("the package was put back as it was before"), std::string::npos)
      << refused.text;
  EXPECT_NE(refused.text.find("packages/edge/triggers.toml:"), std::string::npos) << refused.text;
  EXPECT_FALSE(fs::exists(installed("edge")));
  EXPECT_NE(triggerctl("package list").text.find("there are no packages"), std::string::npos);
  ASSERT_TRUE(reload()) << triggerd_.output();

  // An upgrade that is refused leaves the version before, which goes on.
  write(folder, "edge", "1", plain());
  ASSERT_EQ(triggerctl(fmt::format("package pack {} -o good.tar.gz", folder.string())).code, 0);
  ASSERT_EQ(triggerctl("package install good.tar.gz").code, 0) << triggerd_.output();
  ASSERT_TRUE(triggerd_.wait_for_event("trigger.running", {"trigger=edge"})) << triggerd_.output();
  write(folder, "edge", "2", plain(), "service = \"nobody:there\"");
  ASSERT_EQ(triggerctl(fmt::format("package pack {} -o worse.tar.gz", folder.string())).code, 0);
  EXPECT_EQ(triggerctl("package install worse.tar.gz").code, 2);
  EXPECT_NE(triggerctl("package list").text.find("1"), std::string::npos);
  std::ifstream in(installed("edge") / "package.toml");
  EXPECT_NE(std::string(std::istreambuf_iterator<char>(in), {}).find("version = \"1\""),
            std::string::npos);
  ASSERT_TRUE(reload()) << triggerd_.output();
  expect_handles("edge");
}

TEST_F(PackageInstallTest, ABrokenOneIsListedWithItsReasonsBlocksNoReloadAndCanBeRemoved) {
  write(installed("bad"), "bad", "1",
        fmt::format("host = \"ssl://localhost:{}\"\ntruststore = \"plant\"\nkeystore = \"edge\"\n"
                    "[truststores.plant]\nfile = \"ca.pem\"\n[keystores.edge]\n"
                    "certificate = \"edge.pem\"\nprivate_key = \"edge.key\"",
                    port_.number()));
  const Identity identity = authority_.issue({.name = "edge"});
  write_into(installed("bad"), "ca.pem", authority_.pem());
  write_into(installed("bad"), "edge.pem", identity.certificate_pem());
  write_into(installed("bad"), "edge.key", identity.key_pem());  // everybody can read it
  write(installed("worse"), "worse", "1", plain(), "service = \"nobody:there\"");
  write(installed("good"), "good", "1", plain());
  ASSERT_TRUE(reload()) << triggerd_.output();
  EXPECT_TRUE(triggerd_.wait_for_event("package.broken", {"package=bad", "chmod o="}, from_))
      << triggerd_.output();
  EXPECT_TRUE(triggerd_.wait_for_event("package.broken", {"package=worse", "nobody"}, from_));
  ASSERT_TRUE(triggerd_.wait_for_event("trigger.running", {"trigger=good"}, from_))
      << triggerd_.output();
  expect_handles("good");
  expect_handles("own");
  const std::string list = triggerctl("package list").text;
  EXPECT_NE(list.find("edge.key holds a private key and can be read by everybody"),
            std::string::npos)
      << list;
  EXPECT_NE(list.find("no plugin \"nobody\""), std::string::npos) << list;

  // One that ran and would be broken still refuses a reload.
  write(installed("good"), "good", "1", plain(), "service = \"nobody:there\"");
  const std::size_t from = triggerd_.process().line_count();
  triggerd_.process().signal(SIGHUP);
  ASSERT_TRUE(triggerd_.wait_for_event("runtime.reload_refused", {"packages/good"}, from));
  expect_handles("good");
  write(installed("good"), "good", "1", plain());

  for (const char* name : {"bad", "worse"}) {
    const Said removed = triggerctl(fmt::format("package remove {}", name));
    EXPECT_EQ(removed.code, 0) << removed.text;
    EXPECT_FALSE(fs::exists(installed(name)));
  }
  EXPECT_EQ(triggerctl("package list").text.find("broken"), std::string::npos);
  expect_handles("good");
}

TEST_F(PackageInstallTest, OneThatCannotRunIsNotEnabled) {
  write(installed("bad"), "bad", "1", plain());
  ASSERT_TRUE(reload());
  ASSERT_TRUE(triggerd_.wait_for_event("trigger.running", {"trigger=bad"}));
  ASSERT_EQ(triggerctl("package disable bad").code, 0);
  write(installed("bad"), "bad", "1", plain(), "service = \"nobody:there\"");
  const Said refused = triggerctl("package enable bad");
  EXPECT_EQ(refused.code, 2) << refused.text;
  EXPECT_NE(refused.text.find("no plugin \"nobody\""), std::string::npos) << refused.text;
  EXPECT_NE(triggerctl("package list").text.find("disabled"), std::string::npos);
  ASSERT_TRUE(reload()) << "it blocks nothing\n" << triggerd_.output();
  EXPECT_EQ(triggerd_.output().find("package.broken"), std::string::npos) << triggerd_.output();
}

TEST_F(PackageInstallTest, FilesThatMayHoldASecretAreForTheirOwnerAlone) {
  ASSERT_EQ(triggerctl("dead-letters export -o letters.json").code, 0);
  EXPECT_EQ(mode_of(triggerd_.dir() / "letters.json"), 0600U);
  fs::permissions(triggerd_.dir() / "letters.json", fs::perms(0644));
  ASSERT_EQ(triggerctl("dead-letters export -o letters.json").code, 0);
  EXPECT_EQ(mode_of(triggerd_.dir() / "letters.json"), 0600U) << "one that was there";
  triggerd_.dir().write("plant.json", "{\"format\": \"integration-server-mqtt/1\"}");
  ASSERT_EQ(triggerctl("import-webmethods plant.json -o imported.toml").code, 0);
  EXPECT_EQ(mode_of(triggerd_.dir() / "imported.toml"), 0600U);
  write_into(triggerd_.dir() / "var", "managed.toml.new", "left behind, for everybody");
  const Said created =
      triggerctl("alias create b --set host=tcp://localhost --set user_name=u --set password=p");
  ASSERT_EQ(created.code, 0) << created.text;
  EXPECT_EQ(mode_of(triggerd_.dir() / "var/managed.toml"), 0600U);
  EXPECT_EQ(mode_of(triggerd_.dir() / "var/inbox.db"), 0600U);
}

}  // namespace
}  // namespace triggerd::test
