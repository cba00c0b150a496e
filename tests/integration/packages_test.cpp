// Packages in a runtime that runs, with a real server: a broken one costs itself alone, a disabled
// one waits with its messages, and plugins are found where the documents say.
#include <gtest/gtest.h>

#include "integration/recorded.hpp"
#include "support/certificate_authority.hpp"
#include "support/mosquitto.hpp"
#include "support/mqtt_client.hpp"

namespace triggerd::test {
namespace {

namespace fs = std::filesystem;

class PackagesTest : public testing::Test {
 protected:
  fs::path file(const std::string& name) const { return triggerd_.dir() / ("records-" + name); }

  // A package with its own alias and a trigger of its name, on the topic of its name, that writes
  // to file(name). Its plugins/ has the recorder unless `plugin` is another file.
  void add(const std::string& name, const std::string& needs = "",
           const std::string& service = "recorder:record",
           const fs::path& plugin = fs::path(TEST_PLUGIN_DIR) / "recorder.so") {
    const std::string folder = "packages/" + name;
    triggerd_.dir().write(folder + "/package.toml",
                          "name = \"" + name + "\"\nversion = \"1\"\nrequires = [" + needs + "]\n");
    triggerd_.dir().write(folder + "/triggers.toml",
                          alias_table(name, server_.port()) +
                              trigger_table(name, name, "\"" + name + "\"", file(name),
                                            "service = \"" + service + "\""));
    if (plugin.empty()) return;
    const std::string plugin_name = service.substr(0, service.find(':'));
    fs::create_directories(triggerd_.dir() / folder / "plugins");
    fs::copy_file(plugin, triggerd_.dir() / folder / "plugins" / (plugin_name + ".so"));
  }
  void start() {
    triggerd_.start();
    ASSERT_TRUE(triggerd_.wait_for_event("runtime.started")) << triggerd_.output();
  }
  bool runs(const std::string& trigger) {
    return triggerd_.wait_for_event("trigger.running", {"trigger=" + trigger}).has_value();
  }
  std::string run(std::vector<std::string> arguments) {
    std::vector<std::string> argv{TRIGGERD_BINARY, "--config", triggerd_.config_file()};
    argv.insert(argv.end(), arguments.begin(), arguments.end());
    Process process(std::move(argv));
    const auto exit = process.wait();
    EXPECT_TRUE(exit && exit->code == 0) << process.output();
    return process.output();
  }
  void stop() { EXPECT_EQ(triggerd_.stop(), (Exit{0, 0})) << triggerd_.output(); }

  MosquittoServer server_;
  TriggerdProcess triggerd_{"[runtime]\nname = \"test\"\nplugin_dirs = []\n"};
};

TEST_F(PackagesTest, ABrokenPluginCostsItsPackageAloneAndCheckCallsItAnError) {
  add("good");
  add("broken");
  triggerd_.dir().write("packages/broken/plugins/recorder.so", "no library");
  add("follower", "{ name = \"broken\" }");
  const CheckResult checked = triggerd_.check();
  EXPECT_EQ(checked.exit, (Exit{2, 0}));
  EXPECT_NE(checked.output.find("packages/broken/triggers.toml:10:11: error: trigger \"broken\": "),
            std::string::npos)
      << checked.output;
  EXPECT_EQ(checked.output.find("packages/good"), std::string::npos) << checked.output;

  start();
  EXPECT_TRUE(triggerd_.wait_for_event("package.enabled", {"package=good"}));
  EXPECT_TRUE(triggerd_.wait_for_event(
      "package.broken", {"package=broken", "packages/broken/triggers.toml:10:11: "}));
  EXPECT_TRUE(triggerd_.wait_for_event("package.broken", {"package=follower"}));
  ASSERT_TRUE(runs("good")) << triggerd_.output();
  TestClient client(server_.port());
  for (const char* topic : {"broken", "follower", "good"}) {
    ASSERT_TRUE(client.publish(topic, "x", 1));
  }
  ASSERT_TRUE(wait_for_records(file("good"), 1)) << triggerd_.output();
  stop();
  for (const char* client_id : {"client-broken", "client-follower"}) {
    EXPECT_EQ(triggerd_.output().find(std::string("client_id=") + client_id), std::string::npos)
        << triggerd_.output();
  }
}

TEST_F(PackagesTest, APackageThatCannotBeReadCostsItselfAlone) {
  add("good");
  add("broken");
  triggerd_.dir().write("packages/broken/triggers.toml", "[aliases.a]\nhost = 1\n");
  start();
  EXPECT_TRUE(triggerd_.wait_for_event("package.broken",
                                       {"package=broken", "packages/broken/triggers.toml:2:8: "}));
  ASSERT_TRUE(runs("good")) << triggerd_.output();
  TestClient client(server_.port());
  ASSERT_TRUE(client.publish("good", "x", 1));
  EXPECT_TRUE(wait_for_records(file("good"), 1)) << triggerd_.output();
  stop();
}

TEST_F(PackagesTest, ABadCertificateCostsItsPackageAloneAndCheckCallsItAnError) {
  add("good");
  add("broken");
  add("follower", "{ name = \"broken\" }");
  add("disabled");
  for (const char* name : {"broken", "disabled"}) {
    triggerd_.dir().write(
        fmt::format("packages/{}/triggers.toml", name),
        fmt::format("[truststores.ca-{0}]\nfile = \"ca.pem\"\n"
                    "[aliases.{0}]\nhost = \"ssl://localhost\"\ntruststore = \"ca-{0}\"\n",
                    name) +
            trigger_table(name, name, "\"x\"", file(name)));
    triggerd_.dir().write(fmt::format("packages/{}/ca.pem", name), "no certificate");
  }
  run({"package", "disable", "disabled"});
  const CheckResult checked = triggerd_.check();
  EXPECT_EQ(checked.exit, (Exit{2, 0}));
  const std::string problem = "packages/broken/triggers.toml:2:8: ";
  EXPECT_NE(checked.output.find(problem + "error: truststore \"ca-broken\": "), std::string::npos)
      << checked.output;
  EXPECT_EQ(checked.output.find("packages/disabled"), std::string::npos) << checked.output;

  start();
  EXPECT_TRUE(triggerd_.wait_for_event("package.broken", {"package=broken", problem}));
  EXPECT_TRUE(triggerd_.wait_for_event("package.broken", {"package=follower"}));
  ASSERT_TRUE(runs("good")) << triggerd_.output();
  TestClient client(server_.port());
  ASSERT_TRUE(client.publish("good", "x", 1));
  ASSERT_TRUE(wait_for_records(file("good"), 1)) << triggerd_.output();
  stop();
  EXPECT_EQ(triggerd_.output().find("[alias=broken"), std::string::npos) << triggerd_.output();

  // It works again once its file is good.
  triggerd_.dir().write("packages/broken/ca.pem", CertificateAuthority().pem());
  start();
  EXPECT_TRUE(triggerd_.wait_for_event("package.enabled", {"package=broken"}));
  EXPECT_TRUE(runs("follower"));
  stop();
}

TEST_F(PackagesTest, ErrorsInTheMainFileStillStopTheStart) {
  add("good");
  triggerd_.write_config("[runtime]\nplugin_dirs = []\n[aliases.a]\nhots = 1\n");
  triggerd_.start();
  EXPECT_EQ(triggerd_.process().wait(), (Exit{2, 0})) << triggerd_.output();
}

TEST_F(PackagesTest, WhatIsPublishedWhileItIsDisabledIsHandledOnceItIsEnabled) {
  add("one");
  add("two");
  start();
  ASSERT_TRUE(triggerd_.wait_until_running()) << triggerd_.output();
  stop();
  run({"package", "disable", "one"});
  start();
  ASSERT_TRUE(triggerd_.wait_until_running()) << triggerd_.output();
  EXPECT_TRUE(triggerd_.wait_for_event("package.disabled", {"package=one"}));
  TestClient client(server_.port());
  ASSERT_TRUE(client.publish("one", "x", 1));
  ASSERT_TRUE(client.publish("two", "x", 1));
  ASSERT_TRUE(wait_for_records(file("two"), 1));
  stop();
  EXPECT_EQ(triggerd_.output().find("client_id=client-one"), std::string::npos)
      << triggerd_.output();
  EXPECT_EQ(records(file("one")).size(), 0U);
  run({"package", "enable", "one"});
  start();
  EXPECT_TRUE(wait_for_records(file("one"), 1)) << triggerd_.output();
  stop();
}

// The trigger is gone from the configuration, but nobody has removed it: its session must not end.
TEST_F(PackagesTest, WhatIsPublishedWhileItIsBrokenIsHandledOnceItIsMended) {
  const std::string main = alias_table("main", server_.port()) + runtime_table();
  triggerd_.write_config(main);
  add("one");
  const std::string good = trigger_table("one", "main", "\"one\"", file("one"));
  triggerd_.dir().write("packages/one/triggers.toml", good);
  start();
  ASSERT_TRUE(triggerd_.wait_until_running()) << triggerd_.output();
  stop();
  triggerd_.dir().write("packages/one/triggers.toml", good + "unknown = 1\n[[triggers]]\n");
  start();
  ASSERT_TRUE(triggerd_.wait_for_event("connection.up", {"client_id=client-main"}));
  TestClient client(server_.port());
  ASSERT_TRUE(client.publish("one", "x", 1));
  stop();
  triggerd_.dir().write("packages/one/triggers.toml", good);
  start();
  EXPECT_TRUE(wait_for_records(file("one"), 1)) << triggerd_.output();
  stop();
}

TEST_F(PackagesTest, TwoPackagesMayEachCarryAPluginOfOneName) {
  add("one", "", "thing:record");
  add("two", "", "thing", TriggerdProcess::plugin_dir() / "discard.so");
  triggerd_.dir().write("packages/two/triggers.toml",
                        alias_table("two", server_.port()) +
                            "[[triggers]]\nname = \"two\"\nalias = \"two\"\ntopics = [\"one\"]\n"
                            "service = \"thing:discard\"\n");
  start();
  ASSERT_TRUE(triggerd_.wait_until_running()) << triggerd_.output();
  TestClient client(server_.port());
  ASSERT_TRUE(client.publish("one", "x", 1));
  EXPECT_TRUE(wait_for_records(file("one"), 1)) << triggerd_.output();
  stop();
}

TEST_F(PackagesTest, APluginOfARequiredPackageIsFoundAndOneOfAnotherIsNot) {
  add("library");
  add("user", "{ name = \"library\" }", "recorder:record", {});
  add("stranger", "", "recorder:record", {});
  start();
  EXPECT_TRUE(triggerd_.wait_for_event(
      "package.broken", {"package=stranger", "no plugin \"recorder\": looked for recorder.so in"}));
  ASSERT_TRUE(runs("user")) << triggerd_.output();
  TestClient client(server_.port());
  ASSERT_TRUE(client.publish("user", "x", 1));
  EXPECT_TRUE(wait_for_records(file("user"), 1)) << triggerd_.output();
  stop();
}

TEST_F(PackagesTest, OneThatWasInstalledWithAHostForThisMachineRuns) {
  add("one");
  const fs::path made = triggerd_.dir() / "packages/one";
  const std::string archive = triggerd_.dir() / "one.tar.zst";
  // As its author has it: nobody listens there.
  triggerd_.dir().write(
      "packages/one/triggers.toml",
      alias_table("one", 1) + trigger_table("one", "one", "\"one\"", file("one")));
  run({"package", "pack", made, "-o", archive});
  fs::remove_all(made);
  run({"package", "install", archive, "--set",
       "one.host=tcp://127.0.0.1:" + std::to_string(server_.port())});
  start();
  ASSERT_TRUE(triggerd_.wait_until_running()) << triggerd_.output();
  TestClient client(server_.port());
  ASSERT_TRUE(client.publish("one", "x", 1));
  EXPECT_TRUE(wait_for_records(file("one"), 1)) << triggerd_.output();
  stop();
}

}  // namespace
}  // namespace triggerd::test
