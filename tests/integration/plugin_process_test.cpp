// What a plugin in the runtime may do to its process, and what it must not: signals and programs.
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <optional>
#include <string>

#include "integration/recorded.hpp"
#include "support/mosquitto.hpp"
#include "support/mqtt_client.hpp"
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
    triggerd_.emplace(runtime_table() + alias_table("a", server_.port()) + trigger(more));
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
  const pid_t worker = thread_named("w:hostile");
  ASSERT_NE(worker, 0);
  ASSERT_EQ(::syscall(SYS_tgkill, triggerd_->process().pid(), worker, SIGTERM), 0);
  EXPECT_EQ(triggerd_->process().wait(), (Exit{0, 0}));
  EXPECT_TRUE(wait_for_event("runtime.stopped"));
}

}  // namespace
}  // namespace triggerd::test
