// The frozen plugin of ABI 1.1 in the hands of today's runtime: what 1.1 added. FROZEN_REBUILT is
// the frozen source with the frozen header, built now; FROZEN_BINARY, where this machine can run
// it, is the library as it was built then.
#include <gtest/gtest.h>

#include <functional>
#include <memory>
#include <optional>
#include <ostream>
#include <string>
#include <thread>
#include <vector>

#include "config/trigger.hpp"
#include "plugin/plugin.hpp"
#include "support/temp_dir.hpp"
#include "unit/plugin/fakes.hpp"

namespace triggerd::plugin {
namespace {

using Texts = std::vector<std::string>;

struct Build {
  const char* name;
  const char* file;
};
void PrintTo(const Build& build, std::ostream* out) {
  *out << build.file;
}

class FrozenPlugin : public testing::TestWithParam<Build> {};

TEST_P(FrozenPlugin, SaysThatWhatItNeedsIsAway) {
  std::thread([] {}).join();  // see HostileTest
  const test::TempDir dir;
  RememberingLog log;
  RecordingHost host;
  auto generation = Generation::load({.name = "frozen",
                                      .file = GetParam().file,
                                      .stage_dir = dir.path(),
                                      .done_timeout = test::kPatience},
                                     log);
  ASSERT_TRUE(generation) << generation.error().message;
  EXPECT_EQ((*generation)->version(), "1.1.0");
  config::Trigger trigger;
  trigger.name = "north";
  trigger.alias = "plant";
  trigger.service = "counter";
  auto instance = (*generation)->create(trigger, host);
  ASSERT_TRUE(instance) << instance.error().message;
  ASSERT_TRUE((*instance)->start());
  FakeSource messages;
  ASSERT_TRUE((*instance)->run_workers(messages, 1));
  for (const char* topic : {"unavailable", "pending", "finish unavailable"}) messages.push(topic);
  const auto answers = messages.answers(3);
  EXPECT_TRUE((*instance)->join_workers(std::chrono::steady_clock::now() + test::kPatience));
  ASSERT_EQ(answers.size(), 3U);
  EXPECT_EQ(answers[0].answer.code, TRIGGER_UNAVAILABLE);
  EXPECT_EQ(answers[0].answer.retry_after_ms, 700U);
  EXPECT_EQ(answers[0].answer.reason, "what it needs is away");
  EXPECT_EQ(answers[1].answer.code, TRIGGER_PENDING);
  const auto completed = host.completed();
  ASSERT_EQ(completed.size(), 1U);
  EXPECT_EQ(completed[0].answer.code, TRIGGER_UNAVAILABLE);
  (*instance)->stop();
  EXPECT_EQ(log.texts("plugin.log"), (Texts{"entry 1 1 1 1", "create north plant 1 {}", "start 0",
                                            "extend 0", "complete 0", "stop 3"}));
}

class BriefFrozenPlugin : public FrozenPlugin {
 protected:
  BriefFrozenPlugin() {
    std::thread([] {}).join();
  }  // see HostileTest
  std::shared_ptr<Generation> load() {
    auto generation = Generation::load({.name = "frozen",
                                        .file = GetParam().file,
                                        .stage_dir = dir_.path(),
                                        .number = ++loaded_,
                                        .done_timeout = test::kPatience},
                                       log_);
    EXPECT_TRUE(generation) << generation.error().message;
    return generation ? *generation : nullptr;
  }
  // Runs an instance, and hands its inline worker, which may be null, to `look`.
  void run(Generation& generation, const std::string& service, std::optional<bool> said,
           const std::function<void(InlineWorker*)>& look) {
    config::Trigger trigger;
    trigger.name = "north";
    trigger.service = service;
    trigger.brief = said;
    auto instance = generation.create(trigger, host_);
    ASSERT_TRUE(instance) << instance.error().message;
    ASSERT_TRUE((*instance)->start());
    FakeSource messages;
    ASSERT_TRUE((*instance)->run_workers(messages, 1));
    look(messages.inline_worker().get());
    EXPECT_TRUE((*instance)->join_workers(std::chrono::steady_clock::now() + test::kPatience));
    (*instance)->stop();
  }
  bool is_brief(Generation& generation, const std::string& service,
                std::optional<bool> said = std::nullopt) {
    bool there = false;
    run(generation, service, said, [&there](InlineWorker* worker) { there = worker != nullptr; });
    return there;
  }

  test::TempDir dir_;
  RememberingLog log_;
  RecordingHost host_;
  unsigned loaded_ = 0;
};

TEST_P(BriefFrozenPlugin, AServiceSaysThatItIsBriefAndATriggerMaySayOtherwise) {
  const auto generation = load();
  ASSERT_TRUE(generation);
  EXPECT_FALSE(is_brief(*generation, "counter"));
  EXPECT_TRUE(is_brief(*generation, "counter", true));
  EXPECT_TRUE(is_brief(*generation, "quick"));
  EXPECT_FALSE(is_brief(*generation, "quick", false));
}

TEST_P(BriefFrozenPlugin, OneThatWasNotIsNoMoreUntilItsPluginIsLoadedAnew) {
  const auto generation = load();
  ASSERT_TRUE(generation);
  run(*generation, "quick", {}, [](InlineWorker* worker) {
    ASSERT_NE(worker, nullptr);
    EXPECT_TRUE(worker->give_up());
  });
  EXPECT_FALSE(is_brief(*generation, "quick"));
  EXPECT_FALSE(is_brief(*generation, "quick", true)) << "whatever its trigger says";
  EXPECT_TRUE(is_brief(*generation, "counter", true)) << "another service";
  const auto next = load();
  ASSERT_TRUE(next);
  EXPECT_TRUE(is_brief(*next, "quick"));
}

constexpr Build kBuilds[] = {
#ifdef FROZEN_BINARY
    {"Binary", FROZEN_BINARY},
#endif
    {"Rebuilt", FROZEN_REBUILT},
};
constexpr auto kName = [](const auto& info) { return std::string(info.param.name); };
INSTANTIATE_TEST_SUITE_P(V1, FrozenPlugin, testing::ValuesIn(kBuilds), kName);
INSTANTIATE_TEST_SUITE_P(V1, BriefFrozenPlugin, testing::ValuesIn(kBuilds), kName);

}  // namespace
}  // namespace triggerd::plugin
