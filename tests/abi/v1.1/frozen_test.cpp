// The frozen plugin of ABI 1.1 in the hands of today's runtime: what 1.1 added. FROZEN_REBUILT is
// the frozen source with the frozen header, built now; FROZEN_BINARY, where this machine can run
// it, is the library as it was built then.
#include <gtest/gtest.h>

#include <optional>
#include <ostream>
#include <string>
#include <thread>
#include <vector>

#include "config/config.hpp"
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

TEST_P(FrozenPlugin, SaysThatAServiceIsBrief) {
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
  struct Case {
    const char* service;
    std::optional<bool> said;  // by the trigger
    bool is_brief;
  };
  for (const Case& c : {Case{"counter", {}, false}, Case{"counter", true, true},
                        Case{"quick", {}, true}, Case{"quick", false, false}}) {
    config::Trigger trigger;
    trigger.name = "north";
    trigger.service = c.service;
    trigger.brief = c.said;
    auto instance = (*generation)->create(trigger, host);
    ASSERT_TRUE(instance) << instance.error().message;
    ASSERT_TRUE((*instance)->start());
    FakeSource messages;
    ASSERT_TRUE((*instance)->run_workers(messages, 1));
    EXPECT_EQ(messages.inline_worker() != nullptr, c.is_brief) << c.service;
    EXPECT_TRUE((*instance)->join_workers(std::chrono::steady_clock::now() + test::kPatience));
    (*instance)->stop();
  }
}

constexpr Build kBuilds[] = {
#ifdef FROZEN_BINARY
    {"Binary", FROZEN_BINARY},
#endif
    {"Rebuilt", FROZEN_REBUILT},
};
INSTANTIATE_TEST_SUITE_P(V1, FrozenPlugin, testing::ValuesIn(kBuilds),
                         [](const auto& info) { return std::string(info.param.name); });

}  // namespace
}  // namespace triggerd::plugin
