// Plugins and hosts of different minors: a plugin of tomorrow in today's runtime and in a host
// whose tables end where ABI 1.0 ended, today's plugins in that host and in one of tomorrow.
#include <gtest/gtest.h>

#include <filesystem>
#include <ostream>
#include <string>
#include <thread>
#include <vector>

#include "config/trigger.hpp"
#include "other_host.hpp"
#include "plugin/plugin.hpp"
#include "support/temp_dir.hpp"
#include "unit/plugin/fakes.hpp"

namespace {

using other_host::Age;
using trigger::testing::Settings;
using triggerd::test::kPatience;
using Texts = std::vector<std::string>;

Texts said(other_host::Host& host) {
  Texts texts;
  for (const auto& line : host.seen().log_lines()) texts.push_back(line.text);
  return texts;
}

const Texts kFoundNothing = {"config.later not there", "error.later not there",
                             "host.later not there", "message.later not there"};

TEST(Tomorrow, LivesInAHostOfAbi10) {
  other_host::Host host(Age::older, TOMORROW, {});
  ASSERT_EQ(host.start(), TRIGGER_OK);
  EXPECT_EQ(host.handle("a/b", "x"), TRIGGER_OK);
  EXPECT_EQ(host.seen().publishes().at(0).topic, "from/tomorrow");
  host.stop();
  EXPECT_EQ(said(host), kFoundNothing);
}

TEST(Tomorrow, LivesInTodaysRuntime) {
  using namespace triggerd;
  using namespace triggerd::plugin;
  const test::TempDir dir;
  RememberingLog log;
  RecordingHost behind;
  auto generation = Generation::load(
      {.name = "tomorrow", .file = TOMORROW, .stage_dir = dir.path(), .done_timeout = kPatience},
      log);
  ASSERT_TRUE(generation) << generation.error().message;
  config::Trigger trigger;
  trigger.name = "t";
  trigger.service = "tomorrow";
  auto instance = (*generation)->create(trigger, behind);
  ASSERT_TRUE(instance) << instance.error().message;
  ASSERT_TRUE((*instance)->start());
  FakeSource messages;
  ASSERT_TRUE((*instance)->run_workers(messages, 1));
  messages.push("a/b");
  const auto answers = messages.answers(1);
  EXPECT_TRUE((*instance)->join_workers(std::chrono::steady_clock::now() + kPatience));
  ASSERT_EQ(answers.size(), 1u);
  EXPECT_EQ(answers[0].answer.code, TRIGGER_OK);
  EXPECT_EQ(behind.published(1).at(0).topic, "from/tomorrow");
  (*instance)->stop();
  EXPECT_EQ(log.texts("plugin.log"), kFoundNothing);
}

// Without this the tests above could not fail.
TEST(Tomorrow, OneThatDoesNotAskRunsIntoTheGuard) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  EXPECT_DEATH(other_host::Host(Age::older, CARELESS, {}), "");
}

// A plugin of today, settings that it takes, and a message that it says ok to or takes as pending.
struct Today {
  const char* name;
  const char* file;
  Settings settings;
  const char* payload;
};
void PrintTo(const Today& plugin, std::ostream* out) {
  *out << plugin.name;
}

class OtherHosts : public testing::TestWithParam<Today> {
 protected:
  static bool taken(std::int32_t code) { return code == TRIGGER_OK || code == TRIGGER_PENDING; }
  void live(Age age) {
    const Today& plugin = GetParam();
    other_host::Host host(age, plugin.file, plugin.settings);
    const trigger_service& service = host.service();
    for (int round = 0; round < 2; ++round) {
      ASSERT_EQ(host.start(), TRIGGER_OK);
      EXPECT_TRUE(taken(host.handle("plant/a/temperature", plugin.payload)));
      if (service.handle_batch != nullptr) {
        for (const auto code : host.handle_batch("plant/a/temperature", plugin.payload)) {
          EXPECT_TRUE(taken(code)) << code;
        }
      }
      other_host::Result result(age);
      if (service.probe != nullptr) service.probe(host.instance(), result.get());
      host.stop();
    }
    const trigger_state_sink take = [](void* sink, trigger_bytes piece) -> std::int32_t {
      static_cast<std::string*>(sink)->append(reinterpret_cast<const char*>(piece.ptr), piece.len);
      return TRIGGER_OK;
    };
    std::string state;
    other_host::Result error(age);
    if (service.save != nullptr) {
      EXPECT_EQ(service.save(host.instance(), take, &state, error.get()), TRIGGER_OK);
    }
  }
};

TEST_P(OtherHosts, OfAbi10) {
  live(Age::older);
}
TEST_P(OtherHosts, OfALaterMinor) {
  live(Age::newer);
}

// A verdict that ABI 1.0 does not have: there it would be reported as nonsense, and complete()
// would not take it.
TEST(Unavailable, IsARetryInAHostOfAbi10) {
  for (const Age age : {Age::older, Age::newer}) {
    other_host::Host host(age, REPUBLISH, {{"topic", "copy/{topic}"}});
    ASSERT_EQ(host.start(), TRIGGER_OK);
    const std::int32_t expected = age == Age::older ? TRIGGER_RETRY : TRIGGER_UNAVAILABLE;
    host.seen().refuse_publishes(TRIGGER_E_NOT_CONNECTED);
    EXPECT_EQ(host.handle("a/b", "x"), expected);
    host.seen().refuse_publishes(TRIGGER_OK);
    EXPECT_EQ(host.handle("a/b", "x"), TRIGGER_PENDING);
    host.seen().finish_publish(0, TRIGGER_E_NOT_CONNECTED, "cut off");
    host.stop();
    EXPECT_TRUE(host.seen().violations().empty());
  }
}

INSTANTIATE_TEST_SUITE_P(
    Today, OtherHosts,
    testing::Values(Today{"discard", DISCARD, {}, "x"}, Today{"log", LOG, {}, "x"},
                    Today{"republish", REPUBLISH, {{"topic", "copy/{topic}"}}, "x"},
                    Today{"thermostat", THERMOSTAT, {{"limit_celsius", 80}}, "91.5"},
                    Today{"frozen", FROZEN, {}, "x"}),
    [](const auto& info) { return std::string(info.param.name); });

}  // namespace
