// Messages that come twice, with the real runtime and a real server: over restarts, kills, reloads
// and dead letters.
#include <fmt/ranges.h>
#include <gtest/gtest.h>
#include <signal.h>

#include <algorithm>
#include <map>
#include <random>
#include <set>
#include <tuple>

#include "dispatch/message_key.hpp"
#include "integration/recorded.hpp"
#include "support/mosquitto.hpp"
#include "support/mqtt_client.hpp"
#include "support/sqlite_connection.hpp"
#include "unit/admin/http_client.hpp"
#include "unit/dispatch/messages.hpp"

namespace triggerd::test {
namespace {

constexpr const char* kById = "deduplicate = { key = \"json:/id\" }\n";

// Message `id` as it comes for the `time`-th time: the same by its id alone.
std::string payload_of(int id, int time) {
  return fmt::format(R"({{"id":{},"time":{}}})", id, time);
}

class DeduplicateFixture : public testing::Test {
 protected:
  std::string config(const std::string& more, const std::string& settings = {}) const {
    return runtime_table() + "[inbox]\nsync = \"process\"\n[admin]\nlisten = \"127.0.0.1:0\"\n" +
           alias_table("a", server_.port(), kRestless) +
           trigger_table("t", "a", "{ filter = \"in/#\", qos = 2 }", file(), more, settings);
  }
  void start(const std::string& toml) {
    triggerd_.emplace(toml);
    start_again();
    client_.emplace(server_.port());
  }
  void start_again() {
    triggerd_->start();
    ASSERT_TRUE(triggerd_->wait_until_running()) << triggerd_->output();
  }
  void reload(const std::string& toml) {
    const std::size_t from = triggerd_->process().line_count();
    triggerd_->write_config(toml);
    triggerd_->process().signal(SIGHUP);
    ASSERT_TRUE(triggerd_->wait_for_event("runtime.reloaded", {}, from)) << triggerd_->output();
    ASSERT_TRUE(eventually([&] { return get("/readyz").status == 200; }));
  }
  void publish(const std::string& payload, const std::string& topic = "in/a", int qos = 1) {
    ASSERT_TRUE(client_->publish(topic, payload, qos));
  }
  HttpAnswer get(const std::string& path) {
    return HttpClient(triggerd_->admin_port().value()).ask("GET", path);
  }
  HttpAnswer post(const std::string& path) {
    return HttpClient(triggerd_->admin_port().value()).ask("POST", path);
  }
  double metric(const std::string& sample) {
    const std::string text = get("/metrics").body;
    const std::size_t at = text.find("\n" + sample + " ");
    return at == std::string::npos ? -1 : std::stod(text.substr(at + sample.size() + 2));
  }
  double handled(const std::string& verdict) {
    return metric(
        fmt::format("triggerd_messages_handled_total{{trigger=\"t\",verdict=\"{}\"}}", verdict));
  }
  [[nodiscard]] bool wait_for_duplicates(double count) {
    return eventually([&] { return handled("duplicate") >= count; });
  }
  std::filesystem::path file() const { return dir_ / "records"; }
  std::filesystem::path flag() const { return dir_ / "flag"; }
  std::size_t calls() const { return records(file(), "end").size(); }
  void TearDown() override {
    if (HasFailure() && triggerd_) ADD_FAILURE() << triggerd_->output();
  }

  TempDir dir_;
  MosquittoServer server_;
  std::optional<TriggerdProcess> triggerd_;
  std::optional<TestClient> client_;
};

using DeduplicateTest = DeduplicateFixture;

TEST_F(DeduplicateTest, AMessageThatComesAgainIsAcknowledgedCountedAndNotHandled) {
  start(config(kById));
  for (const int qos : {0, 1, 2}) publish(payload_of(1, qos), "in/" + std::to_string(qos), qos);
  publish("no JSON");
  publish("no JSON");
  publish(payload_of(2, 1));
  ASSERT_TRUE(wait_for_records(file(), 4));
  ASSERT_TRUE(wait_for_duplicates(2));
  EXPECT_EQ(calls(), 4U);
  EXPECT_EQ(handled("ok"), 4);
  EXPECT_EQ(metric("triggerd_deduplicate_keys{trigger=\"t\"}"), 2);
  EXPECT_EQ(metric("triggerd_deduplicate_messages_without_key_total{trigger=\"t\"}"), 2);
  EXPECT_NE(get("/api/v1/triggers/t")
                .body.find(R"("deduplicate":{"keys":2,"forgotten":0,"without_key":2})"),
            std::string::npos)
      << get("/api/v1/triggers/t").body;
  EXPECT_EQ(triggerd_->stop(), (Exit{0, 0}));
}

TEST_F(DeduplicateTest, OfEqualKeysAtOnceOneIsHandled) {
  start(config("deduplicate = { key = \"payload\" }\norder = \"none\"\nconcurrency = 4\n",
               waiting_until(flag())));
  for (int i = 0; i < 3; ++i) publish("wait");
  publish("wait", "in/b");  // of another topic
  ASSERT_TRUE(wait_for_calls(file(), 2));
  publish("quick");
  ASSERT_TRUE(wait_for_records(file(), 1)) << "nobody waits for them but their like";
  EXPECT_EQ(records(file()).size(), 3U);
  std::ofstream(flag()) << "go";
  ASSERT_TRUE(wait_for_duplicates(2));
  EXPECT_EQ(calls(), 3U);
}

TEST_F(DeduplicateTest, WhatWasHandledIsKnownAfterARestartAndAReload) {
  start(config(kById));
  publish(payload_of(1, 1));
  ASSERT_TRUE(wait_for_records(file(), 1));
  EXPECT_EQ(triggerd_->stop(), (Exit{0, 0}));
  start_again();
  publish(payload_of(1, 2));
  ASSERT_TRUE(wait_for_duplicates(1));
  publish(payload_of(2, 1));
  ASSERT_TRUE(wait_for_records(file(), 2));
  // At once: the reload makes the trigger anew, whatever is written by then.
  reload(config("deduplicate = { key = \"json:/id\", window = \"2h\", max = 10 }\n"));
  publish(payload_of(2, 2));
  publish(payload_of(1, 3));
  ASSERT_TRUE(wait_for_duplicates(2));
  EXPECT_EQ(calls(), 2U);
  reload(config(""));
  publish(payload_of(2, 3));
  ASSERT_TRUE(wait_for_records(file(), 3)) << "it is not asked for any more";
  reload(config(kById));
  publish(payload_of(2, 4));
  ASSERT_TRUE(wait_for_records(file(), 4)) << "the keys of before are gone";
}

TEST_F(DeduplicateTest, ADeadLetterWasNotHandledUntilItIsReplayed) {
  start(config(std::string(kById) + "service = \"recorder:misbehave\"\n",
               fmt::format("mode = \"reject-until\"\nflag = \"{}\"", flag().string())));
  const auto dead_letters = [&] { return metric("triggerd_dead_letters{trigger=\"t\"}"); };
  publish(payload_of(1, 1));
  publish(payload_of(2, 1));
  ASSERT_TRUE(eventually([&] { return dead_letters() == 2; }));
  std::ofstream(flag()) << "go";
  const std::size_t before = calls();
  publish(payload_of(1, 2));
  ASSERT_TRUE(wait_for_records(file(), before + 1)) << "a dead letter is no reason not to";
  EXPECT_EQ(post("/api/v1/dead-letters/1/replay").status, 204);
  ASSERT_TRUE(wait_for_duplicates(1)) << "but now it was handled";
  EXPECT_EQ(post("/api/v1/dead-letters/2/replay").status, 204);
  ASSERT_TRUE(wait_for_records(file(), before + 2));
  publish(payload_of(2, 2));
  ASSERT_TRUE(wait_for_duplicates(2));
  EXPECT_EQ(calls(), before + 2);
  EXPECT_EQ(dead_letters(), 0);
}

TEST_F(DeduplicateTest, ATestRunShowsTheKeyAndMatchTheRule) {
  start(config(kById));
  publish(payload_of(1, 1));
  ASSERT_TRUE(wait_for_records(file(), 1));
  ASSERT_TRUE(eventually([&] { return handled("ok") == 1; }));
  const auto test = [&](const std::string& payload) {
    return HttpClient(triggerd_->admin_port().value())
        .ask("POST", "/api/v1/triggers/t/test", "Content-Type: application/json\r\n",
             fmt::format(R"({{"topic":"in/a","payload":"{}"}})", payload))
        .body;
  };
  EXPECT_NE(
      test(R"({\"id\":1})").find(R"("deduplicate":{"by":"json:/id","handled":true,"key":"1"})"),
      std::string::npos);
  EXPECT_NE(test(R"({\"id\":2})").find(R"("handled":false,"key":"2")"), std::string::npos);
  EXPECT_NE(test("ON").find(R"("deduplicate":{"by":"json:/id","handled":false})"),
            std::string::npos);
  EXPECT_NE(get("/api/v1/match?topic=in/a").body.find(R"("once_by":"json:/id")"),
            std::string::npos);
}

// ---- Killed at any moment ----

class DeduplicateKillTest
    : public DeduplicateFixture,
      public testing::WithParamInterface<std::tuple<std::string, int, std::string>> {
 protected:
  // A message's id by the hash that the recorder has of it.
  void publish_round(int first, int count, int times) {
    const int qos = std::get<1>(GetParam());
    for (int time = 0; time < times; ++time) {
      for (int id = first; id < first + count; ++id) {
        const std::string payload = payload_of(id, time);
        ids_[fnv1a(payload)] = id;
        client_->publish_later("in/" + std::to_string(id % 3), payload, qos);
      }
    }
  }
  // How often each was handled.
  std::map<int, int> ends() const {
    std::map<int, int> count;
    for (const Record& record : records(file(), "end")) ++count[ids_.at(record.hash)];
    return count;
  }
  // Those of a runtime that was killed, in hexadecimal digits.
  std::set<std::string> keys_on_disk() const {
    const SqliteConnection inbox((triggerd_->dir() / "var" / "inbox.db").string());
    const auto rows = inbox.rows("SELECT hex(key) FROM handled_key").value();
    return {rows.begin(), rows.end()};
  }
  static std::string key_of(int id) {
    const config::Deduplicate rule{.by = config::Deduplicate::By::json, .pointer = "/id"};
    const auto key =
        dispatch::message_key(rule, dispatch::test::message("in/a", payload_of(id, 0))).value();
    return fmt::format("{:02X}", fmt::join(key, ""));
  }

  std::map<std::string, int> ids_;
};

INSTANTIATE_TEST_SUITE_P(, DeduplicateKillTest,
                         testing::Combine(testing::Values("durable", "finished", "received"),
                                          testing::Values(1, 2), testing::Values("topic", "none")),
                         [](const auto& of) {
                           return fmt::format("{}_qos{}_order_{}", std::get<0>(of.param),
                                              std::get<1>(of.param), std::get<2>(of.param));
                         });

TEST_P(DeduplicateKillTest, EveryMessageIsHandledAndNoneTwiceWhoseKeyIsKnown) {
  constexpr int kRounds = 6;
  constexpr int kIds = 60;
  const std::string& acknowledge = std::get<0>(GetParam());
  const std::string& order = std::get<2>(GetParam());
  start(config(fmt::format("{}acknowledge = \"{}\"\norder = \"{}\"\nconcurrency = 3\n", kById,
                           acknowledge, order)));
  std::mt19937 random(20'261'130);
  for (int round = 0; round < kRounds; ++round) {
    const std::size_t before = calls();
    publish_round(round * kIds, kIds, 2);
    // Somewhere between the first message and the last duplicate.
    const std::size_t moment = before + random() % kIds;
    ASSERT_TRUE(eventually([&] { return calls() >= moment; })) << triggerd_->output();
    triggerd_->kill();
    const std::map<int, int> ends_then = ends();
    const std::set<std::string> known = keys_on_disk();
    start_again();
    ASSERT_TRUE(client_->wait_published());
    const auto all_are_handled = [&] {
      const std::map<int, int> now = ends();
      for (int id = round * kIds; id < (round + 1) * kIds; ++id) {
        // What was acknowledged when it came may be lost, as is promised.
        if (!now.contains(id) && acknowledge != "received") return false;
      }
      return metric("triggerd_queue_messages{trigger=\"t\"}") == 0 &&
             metric("triggerd_in_flight{trigger=\"t\"}") == 0;
    };
    ASSERT_TRUE(eventually(all_are_handled)) << "round " << round;
    const std::map<int, int> now = ends();
    for (const auto& [id, times] : ends_then) {
      if (!known.contains(key_of(id))) continue;
      EXPECT_EQ(now.at(id), times) << "message " << id << " in round " << round;
    }
    for (const auto& [id, times] : now) {
      const bool was_in_flight = ends_then.contains(id) && !known.contains(key_of(id));
      const bool is_of_this_round = id >= round * kIds;
      EXPECT_LE(times, is_of_this_round && !was_in_flight ? 1 : 2) << "message " << id;
    }
  }
  // All are known by now, over a restart in good order.
  const std::map<int, int> all = ends();
  EXPECT_EQ(triggerd_->stop(), (Exit{0, 0}));
  start_again();
  publish_round(0, kRounds * kIds, 1);
  ASSERT_TRUE(client_->wait_published());
  if (acknowledge != "received") {
    ASSERT_TRUE(wait_for_duplicates(kRounds * kIds));
    EXPECT_EQ(ends(), all);
  }
}

}  // namespace
}  // namespace triggerd::test
