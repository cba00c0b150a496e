// Hot reload as a developer has it: the real runtime watches, a plugin is built anew while messages
// come.
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <algorithm>
#include <fstream>

#include "integration/revised/revisions.hpp"
#include "support/mosquitto.hpp"
#include "support/mqtt_client.hpp"

namespace triggerd::test {
namespace {

namespace fs = std::filesystem;

class ReloadTest : public testing::Test {
 protected:
  void start(const std::string& runtime = {}, const std::string& trigger = {}) {
    triggerd_.emplace(plugin_.config(server_.port(), "hot_reload = true\n" + runtime, trigger));
    triggerd_->start();
    ASSERT_TRUE(triggerd_->wait_until_running()) << triggerd_->output();
    client_.emplace(server_.port());
  }
  void publish(const std::string& payload) { ASSERT_TRUE(client_->publish("x", payload)); }
  bool wait_for_event(const std::string& event,
                      std::initializer_list<std::string_view> parts = {}) {
    const auto line = triggerd_->wait_for_event(event, parts, from_);
    if (line) from_ = line->index + 1;
    return line.has_value();
  }
  // Whether `triggerctl plugin list` comes to show this.
  bool shows(const std::string& part) {
    return eventually([&] {
      Process process({TRIGGERCTL_BINARY, "plugin", "list", "--json"},
                      {.cwd = triggerd_->dir().path()});
      process.wait();
      return process.output().find(part) != std::string::npos;
    });
  }
  // Whether the runtime has the thread that looks for other builds.
  bool watches() {
    const fs::path threads = fmt::format("/proc/{}/task", triggerd_->process().pid());
    const fs::directory_iterator all(threads);
    return std::any_of(begin(all), end(all), [](const fs::directory_entry& thread) {
      std::ifstream in(thread.path() / "comm");
      std::string name;
      return in >> name && name == "plugin-watch";
    });
  }
  void fail_with(const Revision& revision, int messages) {
    plugin_.replace(revision);
    ASSERT_TRUE(wait_for_event("plugin.reloaded"));
    for (int i = 0; i < messages; ++i) publish("rejected");
    ASSERT_TRUE(wait_for_event("plugin.rolled_back", {"verdicts are failures"}));
    ASSERT_TRUE(wait_for_event("plugin.reloaded"));
  }
  void TearDown() override {
    if (HasFailure() && triggerd_) ADD_FAILURE() << triggerd_->output();
  }

  RevisedPlugin plugin_{kFirst};
  MosquittoServer server_;
  std::optional<TriggerdProcess> triggerd_;
  std::optional<TestClient> client_;
  std::size_t from_ = 0;
};

TEST_F(ReloadTest, ANewBuildTakesOverWithTheState) {
  start();
  EXPECT_TRUE(eventually([&] { return watches(); }));
  publish("one");
  ASSERT_TRUE(plugin_.wait_for(1));
  plugin_.replace(kSecond);
  ASSERT_TRUE(wait_for_event("plugin.reloaded", {"plugin=revised", "generation=2"}));
  publish("two");
  ASSERT_TRUE(plugin_.wait_for(2));
  EXPECT_EQ(plugin_.counted(), (std::vector<Counted>{{1, 1, "one"}, {2, 2, "two"}}));
}

TEST_F(ReloadTest, EveryWayOfPuttingAFileThereIsSeen) {
  start();
  const fs::path file = plugin_.file();
  Revision last = kFirst;
  const auto next = [&last] {
    last = last == kFirst ? kSecond : kFirst;
    return built(last);
  };
  const std::vector<std::pair<std::string, std::function<void()>>> ways = {
      {"written over in place",
       [&] { fs::copy_file(next(), file, fs::copy_options::overwrite_existing); }},
      {"removed and written in pieces",
       [&] {
         fs::remove(file);
         std::ifstream in(next(), std::ios::binary);
         std::ofstream out(file, std::ios::binary);
         for (std::vector<char> piece(4'096); in.read(piece.data(), 4'096), in.gcount() > 0;) {
           out.write(piece.data(), in.gcount());
           out.flush();
         }
       }},
      {"the folder made anew",
       [&] {
         const fs::path aside = fs::path(plugin_.dir().string() + ".old");
         fs::rename(plugin_.dir(), aside);
         fs::create_directory(plugin_.dir());
         fs::copy_file(next(), file);
         fs::remove_all(aside);
       }},
      {"a link swapped, as in a volume of a container",
       [&] {
         const fs::path data = fs::path(plugin_.dir().string() + ".data");
         fs::create_directory(data);
         fs::copy_file(next(), data / "revised.so");
         fs::create_symlink(data / "revised.so", plugin_.dir() / "link");
         fs::rename(plugin_.dir() / "link", file);
       }},
  };
  for (const auto& [name, replace] : ways) {
    replace();
    EXPECT_TRUE(wait_for_event("plugin.reloaded")) << name;
  }
}

TEST_F(ReloadTest, ABadBuildLeavesTheOldOneServing) {
  start("", "retry = { max_attempts = 1 }");
  const auto is_refused = [&](std::string_view stage, std::string_view reason) {
    EXPECT_TRUE(
        wait_for_event("plugin.reload_failed", {stage, reason, "generation 1 stays in service"}))
        << reason;
  };
  plugin_.replace(kCrashesInConstructor);
  is_refused("stage=load", "SIGABRT");
  plugin_.replace(kRefusesItsSettings);
  is_refused("stage=create", "setting \"file\" is unknown");
  plugin_.replace(kDoesNotRestore);
  is_refused("stage=hand over", "state of another kind");
  plugin_.replace(kDoesNotStart);
  is_refused("stage=hand over", "the database is away");
  fs::resize_file(plugin_.file(), fs::file_size(plugin_.file()) / 2);
  is_refused("stage=load", "is truncated");
  std::ofstream(plugin_.file()) << "no library";
  is_refused("stage=load", "ELF");
  publish("still");
  ASSERT_TRUE(plugin_.wait_for(1));
  EXPECT_EQ(plugin_.counted(), (std::vector<Counted>{{1, 1, "still"}}));
  // And a good one is taken all the same.
  plugin_.replace(kSecond);
  ASSERT_TRUE(wait_for_event("plugin.reloaded"));
  publish("then");
  ASSERT_TRUE(plugin_.wait_for(2));
  EXPECT_EQ(plugin_.counted().back(), (Counted{2, 2, "then"}));
}

TEST_F(ReloadTest, ABuildThatFailsIsSentBack) {
  start();
  for (int i = 0; i < 3; ++i) publish("good");
  ASSERT_TRUE(plugin_.wait_for(3));
  plugin_.replace(kRejectsAll);
  ASSERT_TRUE(wait_for_event("plugin.reloaded"));
  for (int i = 0; i < 12; ++i) publish("rejected");
  ASSERT_TRUE(wait_for_event("plugin.rolled_back", {"generation=2", "verdicts are failures"}));
  ASSERT_TRUE(wait_for_event("plugin.reloaded", {"generation=3"}));
  publish("good");
  ASSERT_TRUE(plugin_.wait_for(4));
  EXPECT_EQ(plugin_.counted().back().revision, 1);
}

// With one attempt for each message, whose failure is its last.
TEST_F(ReloadTest, ABuildThatFailsAllLastAttemptsIsSentBack) {
  start("", "retry = { max_attempts = 1 }");
  for (int i = 0; i < 3; ++i) publish("good");
  ASSERT_TRUE(plugin_.wait_for(3));
  plugin_.replace(kFailsAll);
  ASSERT_TRUE(wait_for_event("plugin.reloaded"));
  for (int i = 0; i < 12; ++i) publish("failed");
  ASSERT_TRUE(wait_for_event("plugin.rolled_back", {"generation=2", "verdicts are failures"}));
}

TEST_F(ReloadTest, AfterARollBackEveryViewNamesWhatServes) {
  start();
  for (int i = 0; i < 3; ++i) publish("good");
  ASSERT_TRUE(plugin_.wait_for(3));
  EXPECT_TRUE(shows("\"generation\": 1"));
  fail_with(kRejectsAll, 12);
  EXPECT_TRUE(shows("\"generation\": 3"));
  EXPECT_TRUE(shows("\"on_probation\": false"));
}

TEST_F(ReloadTest, TheBuildBeforeComesBackThoughItsProbationWasNotOver) {
  start();
  for (int i = 0; i < 3; ++i) publish("good");
  ASSERT_TRUE(plugin_.wait_for(3));
  plugin_.replace(kSecond);
  ASSERT_TRUE(wait_for_event("plugin.reloaded"));
  for (int i = 0; i < 3; ++i) publish("good");
  ASSERT_TRUE(plugin_.wait_for(6));
  fail_with(kRejectsAll, 12);
  publish("good");
  ASSERT_TRUE(plugin_.wait_for(7));
  EXPECT_EQ(plugin_.counted().back().revision, 2);
}

TEST_F(ReloadTest, ABuildThatHasHandledNothingIsNotTheOneThatComesBack) {
  start();
  for (int i = 0; i < 3; ++i) publish("good");
  ASSERT_TRUE(plugin_.wait_for(3));
  plugin_.replace(kSecond);
  ASSERT_TRUE(wait_for_event("plugin.reloaded"));
  fail_with(kRejectsAll, 12);
  publish("good");
  ASSERT_TRUE(plugin_.wait_for(4));
  EXPECT_EQ(plugin_.counted().back().revision, 1);
}

TEST_F(ReloadTest, APluginWhoseFileIsGoneStaysKnownOverAReloadOfTheConfiguration) {
  start();
  fs::remove(plugin_.file());
  triggerd_->process().signal(SIGHUP);
  ASSERT_TRUE(wait_for_event("runtime.reload", {"revised", "stays loaded"}));
  publish("still");
  ASSERT_TRUE(plugin_.wait_for(1));
  EXPECT_TRUE(shows("\"name\": \"revised\""));
  plugin_.replace(kSecond);
  ASSERT_TRUE(wait_for_event("plugin.reloaded", {"generation=2"}));
  publish("then");
  ASSERT_TRUE(plugin_.wait_for(2));
  EXPECT_EQ(plugin_.counted().back(), (Counted{2, 2, "then"}));
}

TEST_F(ReloadTest, AMessageThatIsNeverCompletedKeepsTheGateFromClosing) {
  plugin_.replace(kCompletesNothing);
  start("drain_timeout = \"500ms\"");
  publish("pending");
  ASSERT_TRUE(plugin_.wait_for(1));
  plugin_.replace(kSecond);
  EXPECT_TRUE(
      wait_for_event("plugin.reload_failed", {"stage=gate", "generation 1 stays in service"}));
  EXPECT_EQ(triggerd_->stop(), (Exit{0, 0}));
}

TEST_F(ReloadTest, WithoutHotReloadNothingIsWatched) {
  triggerd_.emplace(plugin_.config(server_.port()));
  triggerd_->start();
  ASSERT_TRUE(triggerd_->wait_until_running());
  EXPECT_FALSE(watches());
}

}  // namespace
}  // namespace triggerd::test
