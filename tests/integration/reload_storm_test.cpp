// The runtime as a library, for what takes many reloads, or one that is asked for.
#include <gtest/gtest.h>

#include <algorithm>
#include <set>
#include <thread>

#include "config/load.hpp"
#include "control/runtime.hpp"
#include "integration/revised/revisions.hpp"
#include "management/plugins.hpp"
#include "management/states.hpp"
#include "management/status.hpp"
#include "support/kept_log.hpp"
#include "support/mosquitto.hpp"
#include "support/mqtt_client.hpp"

namespace triggerd::test {
namespace {

// Mappings of the plugin's private copies, of which there is one library for each generation.
std::size_t mapped_libraries() {
  std::set<std::string> files;
  std::ifstream maps("/proc/self/maps");
  for (std::string line; std::getline(maps, line);) {
    const auto at = line.find("revised.");
    if (at != std::string::npos) files.insert(line.substr(at));
  }
  return files.size();
}

std::size_t entries(const std::filesystem::path& folder) {
  return static_cast<std::size_t>(std::distance(std::filesystem::directory_iterator(folder), {}));
}

class ReloadStormTest : public testing::Test {
 protected:
  void start(const std::string& runtime = {}, const std::string& trigger = {},
             control::RuntimeOptions options = {}) {
    const std::filesystem::path toml = dir_ / "triggers.toml";
    std::ofstream(toml) << plugin_.config(server_.port(), runtime, trigger);
    auto loaded = config::load(toml, config::process_environment());
    ASSERT_TRUE(loaded);
    config_ = std::move(*loaded);
    std::filesystem::create_directories(dir_ / "state");
    runtime_ =
        std::make_unique<control::Runtime>(config_, dir_ / "state", log_, std::move(options));
    ASSERT_TRUE(runtime_->prepare());
    ASSERT_TRUE(runtime_->start());
    ASSERT_TRUE(eventually([&] { return !log_.lines("runtime.ready").empty(); }));
  }
  management::Outcome<management::PluginReload> reload(
      const std::string& plugin, const management::PluginReloadOptions& how = {}) {
    return runtime_->management().plugins.reload_plugin(plugin, how, "a test");
  }
  void reload_under_traffic(int reloads, int at_once);
  void TearDown() override {
    if (runtime_) {
      EXPECT_TRUE(runtime_->stop());
    }
  }

  TempDir dir_;
  RevisedPlugin plugin_{kFirst};
  MosquittoServer server_;
  CaptureLog& log_ = kept_log();
  config::Config config_;
  std::unique_ptr<control::Runtime> runtime_;
};

TEST_F(ReloadStormTest, AGoodBuildIsJustReloadedForTheTimeOfItsProbationOnly) {
  start({}, {}, {.probation = Millis(1)});
  plugin_.replace(kSecond);
  ASSERT_TRUE(reload("revised"));
  EXPECT_TRUE(eventually([&] {
    const auto plugins = runtime_->management().status.plugins();
    return plugins.size() == 1 && plugins[0].generation == 2 && !plugins[0].on_probation;
  }));
}

// `at_once` messages come together.
void ReloadStormTest::reload_under_traffic(int reloads, int at_once) {
  const std::size_t descriptors = entries("/proc/self/fd");
  std::atomic<bool> stop{false};
  std::uint64_t sent = 0;
  std::thread traffic([&] {
    TestClient client(server_.port());
    while (!stop) {
      for (int i = 0; i < at_once; ++i) client.publish_later("x", std::to_string(++sent), 1);
      ASSERT_TRUE(client.wait_published());
    }
  });
  ASSERT_TRUE(plugin_.wait_for(100));
  std::vector<double> pauses;
  for (int i = 0; i < reloads; ++i) {
    plugin_.replace(i % 2 == 0 ? kSecond : kFirst);
    const auto report = reload("revised");
    ASSERT_TRUE(report) << report.error().message;
    ASSERT_TRUE(report->changed);
    pauses.push_back(report->pause_seconds * 1000);
  }
  stop = true;
  traffic.join();
  ASSERT_TRUE(plugin_.wait_for(sent));
  const auto counted = plugin_.counted();
  ASSERT_EQ(counted.size(), sent) << "none twice";
  for (std::size_t i = 0; i < counted.size(); ++i) {
    ASSERT_EQ(counted[i].payload, std::to_string(i + 1));
    ASSERT_EQ(counted[i].count, i + 1) << "the state goes with every one of them";
  }
  for (const int revision : {1, 2}) {
    EXPECT_TRUE(std::any_of(counted.begin(), counted.end(),
                            [&](const Counted& c) { return c.revision == revision; }));
  }
  EXPECT_EQ(mapped_libraries(), 1U);
  EXPECT_EQ(entries("/proc/self/fd"), descriptors);
  EXPECT_LE(entries(dir_ / "state" / "plugins"), 2U) << "the copy in service, and the one before";
  std::sort(pauses.begin(), pauses.end());
  const double p50 = pauses[pauses.size() / 2];
  const double p99 = pauses[pauses.size() * 99 / 100];
  RecordProperty("pause_p50_ms", fmt::format("{:.2f}", p50));
  RecordProperty("pause_p99_ms", fmt::format("{:.2f}", p99));
  fmt::print("{} reloads, {} messages: pause p50 {:.2f} ms, p99 {:.2f} ms, longest {:.2f} ms\n",
             reloads, sent, p50, p99, pauses.back());
}

TEST_F(ReloadStormTest, FiveHundredReloadsUnderTrafficLoseNothingAndLeaveNothing) {
  start();
  reload_under_traffic(500, 20);
}

TEST_F(ReloadStormTest, NorDoTheyWhereTheThreadThatReceivesCallsTheService) {
  start({}, "brief = true\n");
  reload_under_traffic(200, 2);
  const auto triggers = runtime_->management().status.triggers();
  ASSERT_EQ(triggers.size(), 1U);
  EXPECT_GT(triggers[0].counters.inline_calls, 0U);
}

TEST_F(ReloadStormTest, TheSameBuildIsNotReloaded) {
  start();
  const auto report = reload("revised");
  ASSERT_TRUE(report) << report.error().message;
  EXPECT_FALSE(report->changed);
  EXPECT_EQ(report->generation, 1U);
  EXPECT_EQ(entries(dir_ / "state" / "plugins"), 1U) << "the copy in service, and no other";
  const auto unknown = reload("nobody");
  ASSERT_FALSE(unknown);
  EXPECT_EQ(unknown.error().message, "plugin \"nobody\" is not loaded; loaded: revised");
}

TEST_F(ReloadStormTest, ForcedPendingMessagesGoToTheNewBuild) {
  plugin_.replace(kCompletesNothing);
  start("drain_timeout = \"300ms\"");
  TestClient client(server_.port());
  ASSERT_TRUE(client.publish("x", "pending"));
  ASSERT_TRUE(plugin_.wait_for(1));
  plugin_.replace(kSecond);
  EXPECT_FALSE(reload("revised"));
  const auto forced = reload("revised", {.force = true});
  ASSERT_TRUE(forced) << forced.error().message;
  ASSERT_TRUE(plugin_.wait_for(2));
  EXPECT_EQ(plugin_.counted(), (std::vector<Counted>{{8, 1, "pending"}, {2, 2, "pending"}}));
}

TEST_F(ReloadStormTest, AStateThatCannotBeSavedLeavesTheOldOneServing) {
  plugin_.replace(kDoesNotSave);
  start();
  plugin_.replace(kSecond);
  const auto report = reload("revised");
  ASSERT_FALSE(report);
  EXPECT_NE(report.error().message.find("the state is locked"), std::string::npos);
  EXPECT_EQ(entries(dir_ / "state" / "plugins"), 1U) << "the copy in service, and no other";
  TestClient client(server_.port());
  ASSERT_TRUE(client.publish("x", "still"));
  ASSERT_TRUE(plugin_.wait_for(1));
  EXPECT_EQ(plugin_.counted().front().revision, 9);
}

TEST_F(ReloadStormTest, AStateCanBeLeftBehind) {
  plugin_.replace(kDoesNotSave);
  start();
  TestClient client(server_.port());
  ASSERT_TRUE(client.publish("x", "before"));
  ASSERT_TRUE(plugin_.wait_for(1));
  plugin_.replace(kSecond);
  ASSERT_FALSE(reload("revised")) << "its state cannot be saved";
  const auto another = reload("revised", {.drop_state = true});
  ASSERT_TRUE(another) << another.error().message;
  ASSERT_TRUE(client.publish("x", "second"));
  ASSERT_TRUE(plugin_.wait_for(2));
  EXPECT_EQ(plugin_.counted().back(), (Counted{2, 1, "second"}));
  // The same file, whose state could be saved.
  const auto same = reload("revised", {.drop_state = true});
  ASSERT_TRUE(same) << same.error().message;
  EXPECT_TRUE(same->changed);
  ASSERT_TRUE(client.publish("x", "third"));
  ASSERT_TRUE(plugin_.wait_for(3));
  EXPECT_EQ(plugin_.counted().back(), (Counted{2, 1, "third"}));
}

TEST_F(ReloadStormTest, DisablingFromAnotherThreadTakesTurnsWithReloading) {
  constexpr int kTimes = 100;
  start();
  std::atomic<bool> stop{false};
  std::thread administrator([&] {
    while (!stop) {
      EXPECT_TRUE(runtime_->management().states.disable_trigger("t", "somebody", "a test"));
      EXPECT_TRUE(runtime_->management().states.enable_trigger("t", "somebody"));
    }
  });
  std::uint64_t sent = 0;
  TestClient client(server_.port());
  for (int i = 0; i < kTimes; ++i) {
    client.publish_later("x", std::to_string(++sent), 1);
    plugin_.replace(i % 2 == 0 ? kSecond : kFirst);
    const auto report = reload("revised");
    EXPECT_TRUE(report) << report.error().message;
  }
  EXPECT_TRUE(client.wait_published());
  stop = true;
  administrator.join();
  EXPECT_TRUE(plugin_.wait_for(sent));
}

// Static TLS of the process runs out after some more.
TEST_F(ReloadStormTest, GenerationsThatStayLoadedAreCountedAndBounded) {
  plugin_.replace(kStaysLoaded);
  start();
  management::Outcome<management::PluginReload> report;
  int reloads = 0;
  while (report && reloads < 100) {
    plugin_.replace(++reloads % 2 == 0 ? kStaysLoaded : kStaysLoadedToo);
    report = reload("revised");
  }
  ASSERT_FALSE(report);
  EXPECT_EQ(reloads, 21);
  EXPECT_NE(report.error().message.find("restart the runtime"), std::string::npos);
  EXPECT_EQ(log_.lines("plugin.still_loaded").size(), 20U);
}

}  // namespace
}  // namespace triggerd::test
