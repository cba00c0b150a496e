// What a plugin in the runtime may do to its process, and what it must not: signals and programs.
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <optional>
#include <string>

#include "integration/own_signals.hpp"
#include "integration/recorded.hpp"
#include "support/mosquitto.hpp"
#include "support/mqtt_client.hpp"
#include "support/sqlite_connection.hpp"
#include "support/triggerd_process.hpp"

namespace triggerd::test {
namespace {

class PluginProcessTest : public testing::Test {
 protected:
  std::string trigger(const std::string& more = {}) {
    return trigger_table("hostile", "a", "\"hostile\"", dir_ / "deeds",
                         "service = \"hostile:obey\"\n" + more);
  }
  void start(const std::string& more = {}) {
    triggerd_.emplace(runtime_table() + alias_table("a", server_.port()) + trigger(more),
                      signals_are_its_own());
    triggerd_->start();
    ASSERT_TRUE(triggerd_->wait_until_running()) << triggerd_->output();
    client_.emplace(server_.port());
  }
  void publish(const std::string& payload) { ASSERT_TRUE(client_->publish("hostile", payload)); }
  [[nodiscard]] bool wait_for_event(const std::string& event,
                                    std::initializer_list<std::string_view> parts = {}) {
    return triggerd_->wait_for_event(event, parts).has_value();
  }
  // 0: there is none of this name.
  pid_t thread_named(const std::string& name) {
    const pid_t process = triggerd_->process().pid();
    for (const auto& task :
         std::filesystem::directory_iterator(fmt::format("/proc/{}/task", process))) {
      std::string comm;
      if (std::getline(std::ifstream(task.path() / "comm"), comm) && comm == name) {
        return std::stoi(task.path().filename().string());
      }
    }
    return 0;
  }
  void TearDown() override {
    if (HasFailure() && triggerd_) ADD_FAILURE() << triggerd_->output();
  }

  TempDir dir_;
  MosquittoServer server_;
  std::optional<TriggerdProcess> triggerd_;
  std::optional<TestClient> client_;
};

TEST_F(PluginProcessTest, AProgramThatAServiceStartsIsEndedByItsTimeout) {
  start();
  publish("timeout");
  const auto told = triggerd_->wait_for_event("plugin.log", {"program: "});
  ASSERT_TRUE(told);
  EXPECT_NE(told->text.find("program: exit 124"), std::string::npos) << told->text;
}

TEST_F(PluginProcessTest, AServiceCatchesItsFaultsAndSignalsItsThreadsAndCopies) {
  start();
  publish("fault");
  EXPECT_TRUE(wait_for_event("plugin.log", {"fault: caught"}));
  publish("own");
  EXPECT_TRUE(wait_for_event("plugin.log", {"missing: nothing"}));
  EXPECT_EQ(triggerd_->stop(), (Exit{0, 0}));
}

TEST_F(PluginProcessTest, ASignalForTheRuntimeThatAPluginsThreadGetsEndsItInGoodOrder) {
  start();
  pid_t worker = 0;  // it has its name a moment after its start
  ASSERT_TRUE(eventually([&] { return (worker = thread_named("w:hostile")) != 0; }));
  ASSERT_EQ(::syscall(SYS_tgkill, triggerd_->process().pid(), worker, SIGTERM), 0);
  EXPECT_EQ(triggerd_->process().wait(), (Exit{0, 0}));
  EXPECT_TRUE(wait_for_event("runtime.stopped"));
}

TEST_F(PluginProcessTest, AnExitOfAPluginsIsAFailureThatNamesIt) {
  start();
  publish("exit-well");
  EXPECT_EQ(triggerd_->process().wait(), (Exit{1, 0}));
  EXPECT_TRUE(wait_for_event("runtime.exited", {"exit() was called in handle of hostile:obey",
                                                "plugin=hostile trigger=hostile message="}))
      << triggerd_->output();
}

TEST_F(PluginProcessTest, AFailedStartIsNoExitOfAPlugins) {
  triggerd_.emplace(runtime_table() + alias_table("a", server_.port()) + trigger() +
                    "\nrefuse = true\n");
  triggerd_->start();
  EXPECT_EQ(triggerd_->process().wait(), (Exit{2, 0})) << triggerd_->output();
  EXPECT_FALSE(triggerd_->wait_for_event("runtime.exited", {}, 0, Millis(1)));
}

// Redelivered by its server, which has no acknowledgement of it: in this process's memory alone.
TEST_F(PluginProcessTest, ACrashNamesItsMessageIsToldAgainAndSetsItAsideBeforeItKillsEveryStart) {
  start("order = \"none\"\nconcurrency = 4\n");
  for (int i = 0; i < 3; ++i)
    publish(fmt::format("nap:{}", i));  // in the service's hands meanwhile
  publish("null");
  for (int death = 1; death <= 3; ++death) {
    EXPECT_EQ(triggerd_->process().wait(), (Exit{0, SIGSEGV})) << triggerd_->output();
    EXPECT_TRUE(
        wait_for_event("runtime.crashed", {"SIGSEGV in handle of hostile:obey ends the runtime",
                                           "plugin=hostile trigger=hostile message="}))
        << triggerd_->output();
    triggerd_->start();
    EXPECT_TRUE(wait_for_event("runtime.crashed_before",
                               {"ended by SIGSEGV in handle of hostile:obey", "message="}))
        << triggerd_->output();
  }
  EXPECT_TRUE(wait_for_event("message.dead_letter", {"ended the runtime 3 times, by SIGSEGV"}))
      << triggerd_->output();
  publish("fine");
  const auto lines = [&] {
    std::ifstream in(dir_ / "deeds");
    std::string text((std::istreambuf_iterator<char>(in)), {});
    return text;
  };
  EXPECT_TRUE(eventually([&] { return lines().find("fine 1") != std::string::npos; }));
  for (int i = 0; i < 3; ++i) {
    EXPECT_NE(lines().find(fmt::format("nap:{}", i)), std::string::npos) << "it is not to blame";
  }
  EXPECT_EQ(triggerd_->stop(), (Exit{0, 0}));
  const SqliteConnection inbox(triggerd_->dir() / "var/inbox.db");
  // One, or two where it was written and its acknowledgement had not left when the runtime ended.
  EXPECT_EQ(inbox.rows("SELECT DISTINCT CAST(payload AS TEXT) FROM dead_letter"),
            (SqliteConnection::Rows{"null"}));
  // Forgotten with the letter: the next start has nothing to tell.
  triggerd_->start();
  ASSERT_TRUE(triggerd_->wait_until_running());
  EXPECT_FALSE(triggerd_->wait_for_event("runtime.crashed_before", {}, 0, Millis(1)));
}

TEST_F(PluginProcessTest, ACrashByAnAbortOrAFullStackIsToldToo) {
  start("retry = { max_attempts = 1 }\n");
  publish("overflow");
  EXPECT_EQ(triggerd_->process().wait(), (Exit{0, SIGSEGV}));
  EXPECT_TRUE(wait_for_event("runtime.crashed", {"SIGSEGV in handle of hostile:obey", "message="}))
      << triggerd_->output();
  triggerd_->start();
  EXPECT_TRUE(wait_for_event("message.dead_letter", {"ended the runtime by SIGSEGV"}))
      << triggerd_->output();
  publish("abort");
  EXPECT_EQ(triggerd_->process().wait(), (Exit{0, SIGABRT}));
  EXPECT_TRUE(wait_for_event("runtime.crashed", {"SIGABRT in handle of hostile:obey", "message="}))
      << triggerd_->output();
}

// What comes behind it would go on, as if nothing had been.
TEST_F(PluginProcessTest, ACrashByATrapEndsTheRuntimeToo) {
  start();
  publish("trap");
  EXPECT_EQ(triggerd_->process().wait(), (Exit{0, SIGTRAP}));
  EXPECT_TRUE(wait_for_event("runtime.crashed", {"SIGTRAP in handle of hostile:obey", "message="}))
      << triggerd_->output();
}

TEST_F(PluginProcessTest, AMessageOfQos0IsToldOfAndNotCounted) {
  start();
  ASSERT_TRUE(client_->publish("hostile", "null", 0));
  EXPECT_EQ(triggerd_->process().wait(), (Exit{0, SIGSEGV}));
  triggerd_->start();
  EXPECT_TRUE(wait_for_event("runtime.crashed_before", {"does not come again"}))
      << triggerd_->output();
  EXPECT_TRUE(triggerd_->wait_until_running());
}

TEST_F(PluginProcessTest, AFolderAndAMaskThatAPluginSetsAreNotTheRuntimes) {
  triggerd_.emplace(
      runtime_table("hot_reload = true") + alias_table("a", server_.port()) + trigger(),
      std::map<std::string, std::string>{}, std::vector<std::string>{});
  // By a name that means nothing in another folder.
  Process runtime({TRIGGERD_BINARY, "--config", "triggers.toml"}, {triggerd_->dir().path(), {}});
  ASSERT_TRUE(runtime.wait_for_line("runtime.ready")) << runtime.output();
  client_.emplace(server_.port());
  publish("wander");
  ASSERT_TRUE(eventually([&] { return std::filesystem::exists(dir_ / "deeds"); }));
  std::size_t from = runtime.line_count();
  // Another trigger in the file, which needs another generation of no plugin, and a file again.
  triggerd_->write_config(runtime_table("hot_reload = true") + alias_table("a", server_.port()) +
                          trigger() + trigger_table("good", "a", "\"good\"", dir_ / "good"));
  runtime.signal(SIGHUP);
  ASSERT_TRUE(runtime.wait_for_line("runtime.reloaded", from)) << runtime.output();
  ASSERT_TRUE(eventually([&] {
    return client_->publish("good", "x") && !records(dir_ / "good").empty();
  })) << runtime.output();
  runtime.signal(SIGTERM);
  EXPECT_EQ(runtime.wait(), (Exit{0, 0})) << runtime.output();
  for (const auto& entry :
       std::filesystem::recursive_directory_iterator(triggerd_->dir() / "var")) {
    EXPECT_NE(entry.status().permissions() & std::filesystem::perms::owner_read,
              std::filesystem::perms::none)
        << entry.path();
  }
}

}  // namespace
}  // namespace triggerd::test
