// A reload of the real runtime, on real servers: aliases that differ, packages that come and go,
// and what makes a reload fail, before and after it has begun.
#include <gtest/gtest.h>
#include <signal.h>

#include "integration/recorded.hpp"
#include "support/mosquitto.hpp"
#include "support/mqtt_client.hpp"

namespace triggerd::test {
namespace {

namespace fs = std::filesystem;

class ReloadMembersTest : public testing::Test {
 protected:
  fs::path file(const std::string& name) const { return triggerd_.dir() / ("records-" + name); }
  std::string trigger(const std::string& name, const std::string& alias,
                      const std::string& settings = {}) const {
    return trigger_table(name, alias, "\"" + name + "\"", file(name), "", settings);
  }
  void start(const std::string& toml) {
    triggerd_.write_config(toml);
    triggerd_.start();
    ASSERT_TRUE(triggerd_.wait_for_event("runtime.ready", {}, 0, kPatience * 2))
        << triggerd_.output();
  }
  // Whether the log says so. `from_` is where it began.
  bool reload(std::string_view event = "runtime.reloaded") {
    from_ = triggerd_.process().line_count();
    triggerd_.process().signal(SIGHUP);
    return triggerd_.wait_for_event(event, {}, from_).has_value();
  }
  bool says(std::string_view event, std::initializer_list<std::string_view> parts) {
    return triggerd_.wait_for_event(event, parts, from_).has_value();
  }
  // A package with an alias and a trigger of its name. With `certificate`, which is that file of
  // its folder, the alias is one with TLS.
  void add(const std::string& name, const std::string& certificate = {}) {
    triggerd_.dir().write(fmt::format("packages/{}/package.toml", name),
                          fmt::format("name = \"{}\"\nversion = \"1\"\n", name));
    std::string alias = alias_table(name, server_.port());
    if (!certificate.empty()) {
      alias.replace(alias.find("tcp://"), 6, "ssl://");
      alias += fmt::format("truststore = \"ca-{0}\"\n[truststores.ca-{0}]\nfile = \"{1}\"\n", name,
                           certificate);
    }
    triggerd_.dir().write(fmt::format("packages/{}/triggers.toml", name),
                          alias + trigger(name, name));
  }
  void package(std::vector<std::string> arguments) {
    std::vector<std::string> argv{TRIGGERD_BINARY, "--config", triggerd_.config_file(), "package"};
    argv.insert(argv.end(), arguments.begin(), arguments.end());
    Process process(std::move(argv));
    EXPECT_EQ(process.wait(), Exit{}) << process.output();
  }
  // That its trigger handles a message that is published now.
  void expect_handles(MosquittoServer& server, const std::string& name) {
    const std::size_t before = records(file(name), "end").size();
    TestClient client(server.port());
    ASSERT_TRUE(client.publish(name, "x", 1));
    EXPECT_TRUE(wait_for_records(file(name), before + 1)) << name << "\n" << triggerd_.output();
  }
  std::string triggerctl(const std::string& arguments) {
    Process process({"/bin/sh", "-c", fmt::format("{} {}", TRIGGERCTL_BINARY, arguments)},
                    {triggerd_.dir().path(), {}});
    process.wait();
    return process.output();
  }
  void start_it_with(const std::string& mode, const fs::path& flag) {
    triggerd_.write_config(
        runtime_table() + alias_table("a", server_.port()) +
        trigger("t", "a", fmt::format("mode = \"{}\"\nflag = \"{}\"", mode, flag.string())));
    triggerd_.start();
    ASSERT_TRUE(triggerd_.wait_for_event("trigger.not_running", {"did not start"}))
        << triggerd_.output();
    ASSERT_TRUE(triggerd_.wait_for_event("admin.listening", {"socket="}));
  }
  void expect_stopped() { EXPECT_EQ(triggerd_.stop(), Exit{}) << triggerd_.output(); }

  MosquittoServer server_{{.extra_config = "log_type all\n"}};
  TriggerdProcess triggerd_{""};
  std::size_t from_ = 0;
};

TEST_F(ReloadMembersTest, AnAliasWithAnotherServerOrClientIdIsRestartedAndNoOther) {
  MosquittoServer second;
  const std::string rest =
      runtime_table() + alias_table("b", server_.port()) + trigger("u", "b") + trigger("t", "a");
  start(rest + alias_table("a", server_.port()));

  triggerd_.write_config(rest + alias_table("a", second.port()));
  ASSERT_TRUE(reload());
  ASSERT_TRUE(says("trigger.running", {"trigger=t"})) << triggerd_.output();
  expect_handles(second, "t");
  EXPECT_EQ(second.connects("client-a"), 1U);

  std::string renamed = alias_table("a", second.port());
  renamed.replace(renamed.find("client-a"), 8, "other-id");
  triggerd_.write_config(rest + renamed);
  ASSERT_TRUE(reload());
  ASSERT_TRUE(says("trigger.running", {"trigger=t"})) << triggerd_.output();
  EXPECT_TRUE(says("session.ended", {"client_id=client-a.t"})) << triggerd_.output();
  expect_handles(second, "t");
  EXPECT_EQ(second.connects("other-id.t"), 1U);

  expect_handles(server_, "u");
  EXPECT_EQ(server_.connects("client-b"), 1U);
  EXPECT_EQ(server_.connects("client-b.u"), 1U);
  expect_stopped();
}

TEST_F(ReloadMembersTest, AServiceThatCannotBeMadeChangesNothing) {
  const std::string base =
      runtime_table() + alias_table("a", server_.port()) + trigger("stays", "a");
  start(base + trigger("t", "a"));
  triggerd_.write_config(base + trigger("new", "a") + trigger("t", "a", "colour = \"red\""));
  ASSERT_TRUE(reload("runtime.reload_refused"));
  EXPECT_TRUE(says("runtime.reload_refused", {"\"t\"", "unknown setting \"colour\""}))
      << triggerd_.output();
  expect_handles(server_, "t");
  EXPECT_EQ(server_.connects("client-a.t"), 1U);
  EXPECT_EQ(server_.connects("client-a.stays"), 1U);
  EXPECT_EQ(server_.connects("client-a.new"), 0U);
  expect_stopped();
}

// As the documents say: that trigger alone does not run, and what comes meanwhile waits for it.
TEST_F(ReloadMembersTest, AServiceThatDoesNotStartCostsItsTriggerAloneAndNoMessage) {
  const std::string base =
      runtime_table() + alias_table("a", server_.port()) + trigger("stays", "a");
  start(base + trigger("t", "a"));
  triggerd_.write_config(base + trigger("new", "a") + trigger("t", "a", "mode = \"no-start\""));
  ASSERT_TRUE(reload());
  EXPECT_TRUE(says("runtime.reload", {"trigger t is not running", "the database is away"}))
      << triggerd_.output();
  ASSERT_TRUE(says("trigger.running", {"trigger=new"}));
  expect_handles(server_, "stays");
  expect_handles(server_, "new");
  TestClient client(server_.port());
  ASSERT_TRUE(client.publish("t", "meanwhile", 1));
  triggerd_.write_config(base + trigger("new", "a") + trigger("t", "a"));
  ASSERT_TRUE(reload());
  EXPECT_TRUE(wait_for_records(file("t"), 1)) << triggerd_.output();
  EXPECT_EQ(server_.connects("client-a.stays"), 1U);
  expect_stopped();
}

TEST_F(ReloadMembersTest, AServiceThatEndsTheProcessThatMakesItChangesNothing) {
  const std::string base =
      runtime_table() + alias_table("a", server_.port()) + trigger("stays", "a");
  start(base + trigger("t", "a"));
  for (const char* mode : {"create-trap", "create-exit"}) {
    triggerd_.write_config(base + trigger("t", "a", fmt::format("mode = \"{}\"", mode)));
    ASSERT_TRUE(reload("runtime.reload_refused")) << triggerd_.output();
    EXPECT_TRUE(says("runtime.reload_refused", {"\"t\"", "its worker process was ended by"}))
        << triggerd_.output();
  }
  expect_handles(server_, "t");
  expect_handles(server_, "stays");
  EXPECT_EQ(server_.connects("client-a.t"), 1U);
  expect_stopped();
}

TEST_F(ReloadMembersTest, OneThatDidNotStartStartsWhereItIsEnabledAgain) {
  const auto flag = triggerd_.dir() / "mended";
  start_it_with("no-start", flag);
  EXPECT_NE(triggerctl("trigger enable t").find("the database is away"), std::string::npos);
  std::ofstream(flag) << "yes";
  EXPECT_EQ(triggerctl("trigger enable t").find("error"), std::string::npos);
  ASSERT_TRUE(triggerd_.wait_until_running()) << triggerd_.output();
  expect_handles(server_, "t");
  expect_stopped();
}

TEST_F(ReloadMembersTest, OneThatIsDisabledHandlesNothingWhereItStartsLater) {
  const auto flag = triggerd_.dir() / "mended";
  start_it_with("no-start", flag);
  ASSERT_TRUE(server_.process().wait_for_line("Sending SUBACK to client-a.t"));
  TestClient client(server_.port());
  ASSERT_TRUE(client.publish("t", "x", 1));
  ASSERT_TRUE(eventually([&] {
    return triggerctl("--json trigger show t").find("\"queued\": 1") != std::string::npos;
  })) << triggerctl("--json trigger show t");
  triggerctl("trigger disable t");
  ASSERT_TRUE(triggerd_.wait_for_event("trigger.disabled", {"trigger=t"})) << triggerd_.output();
  std::ofstream(flag) << "yes";
  ASSERT_TRUE(eventually([&] { return !fs::exists(flag); })) << "it has not started";
  EXPECT_FALSE(eventually([&] { return !records(file("t")).empty(); }, Millis(500)))
      << triggerd_.output();
  triggerctl("trigger enable t");
  EXPECT_TRUE(wait_for_records(file("t"), 1)) << triggerd_.output();
  expect_stopped();
}

TEST_F(ReloadMembersTest, ByForceAPluginIsLoadedThoughItsFileIsTheSame) {
  start(runtime_table() + alias_table("a", server_.port()) + trigger("t", "a"));
  EXPECT_NE(triggerctl("plugin reload recorder").find("its file has not changed"),
            std::string::npos);
  from_ = triggerd_.process().line_count();
  triggerctl("plugin reload recorder --force");
  EXPECT_TRUE(says("plugin.reloaded", {"plugin=recorder"})) << triggerd_.output();
  expect_handles(server_, "t");
  expect_stopped();
}

TEST_F(ReloadMembersTest, PackagesThatComeAndGoAreTakenAtAReload) {
  add("one");
  add("two");
  start(runtime_table());
  const auto& dir = triggerd_.dir();
  package({"disable", "one"});
  ASSERT_TRUE(reload());
  TestClient client(server_.port());
  ASSERT_TRUE(eventually([&] {
    return server_.process().wait_for_line("Client client-one.one disconnected").has_value();
  }));
  ASSERT_TRUE(client.publish("one", "meanwhile", 1));
  expect_handles(server_, "two");
  EXPECT_EQ(records(file("one")).size(), 0U);
  package({"enable", "one"});
  ASSERT_TRUE(reload());
  EXPECT_TRUE(wait_for_records(file("one"), 1)) << "the server has kept it\n" << triggerd_.output();

  add("three");
  package({"pack", dir / "packages/three", "-o", dir / "three.tar.zst"});
  fs::remove_all(dir / "packages/three");
  package({"install", dir / "three.tar.zst"});
  ASSERT_TRUE(reload());
  ASSERT_TRUE(says("trigger.running", {"trigger=three"})) << triggerd_.output();
  expect_handles(server_, "three");
  EXPECT_EQ(server_.connects("client-two.two"), 1U);
  expect_stopped();
}

TEST_F(ReloadMembersTest, APackageWithABadCertificateRefusesTheReloadWhereItRanAndAllGoesOn) {
  add("one");
  add("two");
  start(runtime_table());
  add("one", "ca.pem");
  triggerd_.dir().write("packages/one/ca.pem", "no certificate");
  add("three");
  ASSERT_TRUE(reload("runtime.reload_refused"));
  EXPECT_TRUE(says("runtime.reload_refused",
                   {"packages/one/triggers.toml", "truststore \"ca-one\"", "ca.pem"}))
      << triggerd_.output();
  expect_handles(server_, "one");
  expect_handles(server_, "two");
  EXPECT_EQ(server_.connects("client-one.one"), 1U);
  EXPECT_EQ(server_.connects("client-three.three"), 0U);
  // One that was not there before costs itself alone.
  add("one");
  add("three", "missing.pem");
  ASSERT_TRUE(reload());
  EXPECT_TRUE(
      says("package.broken", {"package=three", "packages/three/triggers.toml", "missing.pem"}))
      << triggerd_.output();
  expect_handles(server_, "one");
  add("three");
  ASSERT_TRUE(reload());
  ASSERT_TRUE(says("trigger.running", {"trigger=three"})) << triggerd_.output();
  EXPECT_EQ(server_.connects("client-two.two"), 1U);
  expect_stopped();
}

}  // namespace
}  // namespace triggerd::test
