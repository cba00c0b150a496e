// An administrator at work on a runtime that runs, with triggerctl and a real server, while
// messages flow: triggers are suspended and resumed, many dead letters replayed and dropped, and a
// thousand triggers stopped.
#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <set>

#include "integration/recorded.hpp"
#include "support/mosquitto.hpp"
#include "support/mqtt_client.hpp"

namespace triggerd::test {
namespace {

struct Said {
  int code = -1;
  std::string text;
};

class LiveAdministrationTest : public testing::Test {
 protected:
  std::filesystem::path file(const std::string& name = "records") const { return dir_ / name; }
  std::string base() const {
    return runtime_table("state_dir = \"var\"") + alias_table("a", server_.port());
  }
  std::string rejecting(const std::string& name, const std::string& mode) const {
    return trigger_table(
        name, "a", fmt::format("\"{}\"", name), file(name), "service = \"recorder:misbehave\"",
        fmt::format("mode = \"{}\"\nflag = \"{}\"", mode, (dir_ / "healed").string()));
  }
  void start(const std::string& toml) {
    triggerd_.write_config(toml);
    start();
  }
  void start() {
    triggerd_.start();
    ASSERT_TRUE(triggerd_.wait_for_event("runtime.ready", {}, 0, kPatience * 2))
        << triggerd_.output();
  }
  void expect_stopped() { EXPECT_EQ(triggerd_.stop(), Exit{}) << triggerd_.output(); }
  Said triggerctl(const std::string& arguments) {
    Process process({"/bin/sh", "-c", fmt::format("{} {}", TRIGGERCTL_BINARY, arguments)},
                    {.cwd = triggerd_.dir().path()});
    const auto exit = process.wait(kPatience * 2);
    return {exit ? exit->code : -1, process.output()};
  }
  void do_well(const std::string& arguments) {
    const Said said = triggerctl(arguments);
    EXPECT_EQ(said.code, 0) << arguments << ": " << said.text;
  }
  // Of `trigger`.
  bool wait_for_dead_letters(const std::string& trigger, std::size_t count) {
    return eventually(
        [&] {
          const Said said =
              triggerctl(fmt::format("dead-letters list --trigger {} --json", trigger));
          return said.text.find(fmt::format("\"total\": {}\n", count)) != std::string::npos;
        },
        kPatience * 2);
  }
  static std::set<std::string> hashes(const std::filesystem::path& of) {
    std::set<std::string> all;
    for (const Record& record : records(of, "end")) all.insert(record.hash);
    return all;
  }

  TempDir dir_;
  MosquittoServer server_;
  TriggerdProcess triggerd_{""};
};

bool says(const Said& said, const std::string& part) {
  return said.text.find(part) != std::string::npos;
}

TEST_F(LiveAdministrationTest, SuspendedAndResumedWhileMessagesFlowNoneIsLost) {
  start(base() + trigger_table("t", "a", "\"x\"", file(), "queue_capacity = 20"));
  TestClient client(server_.port());
  constexpr std::size_t kRounds = 6;
  constexpr std::size_t kEach = 200;
  const auto publish = [&](std::size_t from) {
    for (std::size_t i = from; i < from + kEach; ++i) client.publish_later("x", std::to_string(i));
  };
  for (std::size_t round = 0; round < kRounds; ++round) {
    publish(round * kEach);
    const bool disables = round % 3 == 2;
    do_well(fmt::format("trigger {} t --reason 'at work'", disables ? "disable" : "suspend"));
    const Said shown = triggerctl("trigger show t");
    EXPECT_TRUE(says(shown, "at work")) << shown.text;
    do_well(fmt::format("trigger {} t", disables ? "enable" : "resume"));
  }
  ASSERT_TRUE(client.wait_published());
  ASSERT_TRUE(eventually([&] { return hashes(file()).size() == kRounds * kEach; }, kPatience * 2))
      << hashes(file()).size() << "\n"
      << triggerd_.output();
  expect_stopped();
}

TEST_F(LiveAdministrationTest, AThousandDeadLettersAreReplayedByAFilterWhileTheTriggerRuns) {
  constexpr std::size_t kLetters = 1'000;
  start(base() + rejecting("bad", "reject-until") + rejecting("other", "reject"));
  TestClient client(server_.port());
  for (std::size_t i = 0; i < kLetters; ++i) client.publish_later("bad", std::to_string(i));
  for (std::size_t i = 0; i < 3; ++i) client.publish_later("other", std::to_string(i));
  ASSERT_TRUE(client.wait_published());
  ASSERT_TRUE(wait_for_dead_letters("bad", kLetters)) << triggerd_.output().substr(0, 4'000);
  ASSERT_TRUE(wait_for_dead_letters("other", 3));
  std::ofstream(dir_ / "healed") << "yes";
  for (std::size_t i = 0; i < 100; ++i) client.publish_later("bad", fmt::format("more {}", i));
  const Said said = triggerctl("dead-letters replay --trigger bad");
  EXPECT_EQ(said.code, 0) << said.text;
  EXPECT_TRUE(says(said, "replayed 1000 dead letters") || says(said, "replayed 1,000 dead letters"))
      << said.text;
  ASSERT_TRUE(client.wait_published());
  ASSERT_TRUE(eventually([&] { return hashes(file("bad")).size() == kLetters + 100; }));
  EXPECT_TRUE(wait_for_dead_letters("bad", 0));
  EXPECT_TRUE(wait_for_dead_letters("other", 3));
  expect_stopped();
}

// However many there are: no more of them are in memory than queue_capacity says.
TEST_F(LiveAdministrationTest, ManyAreReplayedAsFastAsTheServiceTakesThem) {
  constexpr std::size_t kLetters = 1'000;
  constexpr std::size_t kCapacity = 20;
  start(base() + rejecting("bad", "reject"));
  TestClient client(server_.port());
  for (std::size_t i = 0; i < kLetters; ++i) client.publish_later("bad", std::to_string(i));
  ASSERT_TRUE(client.wait_published());
  ASSERT_TRUE(wait_for_dead_letters("bad", kLetters)) << triggerd_.output().substr(0, 4'000);
  const auto with_delay = [&](int ms) {
    triggerd_.write_config(base() + trigger_table("bad", "a", "\"bad\"", file("slow"),
                                                  fmt::format("queue_capacity = {}\n", kCapacity),
                                                  fmt::format("delay_ms = {}\n", ms)));
    do_well("reload");
  };
  with_delay(5);
  Process replay({TRIGGERCTL_BINARY, "dead-letters", "replay", "--trigger", "bad"},
                 {triggerd_.dir().path(), {}});
  std::size_t most = 0;
  while (replay.running()) {
    const Said shown = triggerctl("trigger show bad --json");
    const auto at = shown.text.find("\"queued\": ");
    ASSERT_NE(at, std::string::npos) << shown.text;
    most = std::max<std::size_t>(most, std::stoul(shown.text.substr(at + 10)));
  }
  EXPECT_EQ(replay.wait(), Exit{}) << replay.output();
  EXPECT_NE(replay.output().find("replayed 1000 dead letters"), std::string::npos)
      << replay.output();
  EXPECT_GT(most, 0U);
  EXPECT_LE(most, kCapacity);
  ASSERT_TRUE(wait_for_records(file("slow"), kLetters, kPatience * 2));
  expect_stopped();
}

// What dies again while others are replayed is not replayed again and again.
TEST_F(LiveAdministrationTest, LettersThatDieAgainAreReplayedOnceAndManyAreDropped) {
  constexpr std::size_t kLetters = 1'000;
  start(base() + rejecting("bad", "reject"));
  TestClient client(server_.port());
  for (std::size_t i = 0; i < kLetters; ++i) client.publish_later("bad", std::to_string(i));
  ASSERT_TRUE(client.wait_published());
  ASSERT_TRUE(wait_for_dead_letters("bad", kLetters)) << triggerd_.output().substr(0, 4'000);
  const Said said = triggerctl("dead-letters replay --trigger bad --json");
  EXPECT_EQ(said.code, 0) << said.text;
  EXPECT_TRUE(says(said, "1000")) << said.text;
  ASSERT_TRUE(eventually([&] { return records(file("bad")).size() == 2 * kLetters; }));
  ASSERT_TRUE(wait_for_dead_letters("bad", kLetters));
  const Said dropped = triggerctl("dead-letters drop --trigger bad");
  EXPECT_EQ(dropped.code, 0) << dropped.text;
  EXPECT_TRUE(wait_for_dead_letters("bad", 0));
  EXPECT_EQ(records(file("bad")).size(), 2 * kLetters);
  expect_stopped();
}

TEST_F(LiveAdministrationTest, ALetterOfATriggerThatIsGoneStaysAndSaysSo) {
  start(base() + rejecting("bad", "reject") + rejecting("gone", "reject-until"));
  TestClient client(server_.port());
  ASSERT_TRUE(client.publish("gone", "x", 1));
  ASSERT_TRUE(wait_for_dead_letters("gone", 1)) << triggerd_.output();
  triggerd_.write_config(base() + rejecting("bad", "reject"));
  do_well("reload");
  for (const char* which : {"1", "--all"}) {
    const Said said = triggerctl(fmt::format("dead-letters replay {}", which));
    EXPECT_NE(said.code, 0) << said.text;
    EXPECT_TRUE(says(said, "trigger \"gone\", which is not configured")) << said.text;
  }
  EXPECT_TRUE(wait_for_dead_letters("gone", 1)) << "it is still one";
  // Once it is back, it may be replayed.
  std::ofstream(dir_ / "healed") << "yes";
  triggerd_.write_config(base() + rejecting("bad", "reject") + rejecting("gone", "reject-until"));
  do_well("reload");
  do_well("dead-letters replay 1");
  EXPECT_TRUE(wait_for_records(file("gone"), 1)) << triggerd_.output();
  expect_stopped();
}

TEST_F(LiveAdministrationTest, AThousandTriggersStopTogetherAndLoseNothing) {
  constexpr int kTriggers = 1'000;
  std::string toml = base();
  for (int i = 0; i < kTriggers; ++i) {
    toml += trigger_table(fmt::format("t{}", i), "a", fmt::format("\"s/{}\"", i),
                          file(fmt::format("r{}", i % 10)));
  }
  const auto now = [] { return std::chrono::steady_clock::now(); };
  const auto began = now();
  start(toml);
  const auto start_took = now() - began;
  TestClient client(server_.port());
  for (int i = 0; i < kTriggers; ++i) client.publish_later(fmt::format("s/{}", i), "x");
  ASSERT_TRUE(client.wait_published());
  const auto stops = now();
  ASSERT_EQ(triggerd_.stop(kPatience * 2), Exit{}) << triggerd_.output();
  // Against this machine's own speed: one after another they took several times as long.
  EXPECT_LT(now() - stops, 2 * start_took + std::chrono::seconds(1));
  start();
  std::set<std::string> topics;
  ASSERT_TRUE(eventually(
      [&] {
        for (int i = 0; i < 10; ++i) {
          for (const Record& record : records(file(fmt::format("r{}", i)), "end")) {
            topics.insert(record.topic);
          }
        }
        return topics.size() == static_cast<std::size_t>(kTriggers);
      },
      kPatience * 2))
      << topics.size();
  triggerd_.kill();
}

}  // namespace
}  // namespace triggerd::test
