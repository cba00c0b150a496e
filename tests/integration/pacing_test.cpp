// max_rate and delay in the real runtime and on a real server. What is measured are lower bounds of
// time, which hold however slow the machine is.
#include <gtest/gtest.h>
#include <signal.h>

#include <nlohmann/json.hpp>
#include <set>

#include "integration/recorded.hpp"
#include "support/mosquitto.hpp"
#include "support/mqtt_client.hpp"
#include "unit/admin/http_client.hpp"

namespace triggerd::test {
namespace {

using std::chrono::nanoseconds;

class PacingTest : public testing::Test {
 protected:
  // A trigger on "in/#" that writes down what its service gets.
  std::string config(const std::string& pacing, const std::string& settings = {}) const {
    return runtime_table("drain_timeout = \"10m\"") + "[admin]\nlisten = \"127.0.0.1:0\"\n" +
           alias_table("a", server_.port()) +
           trigger_table("t", "a", "{ filter = \"in/#\", qos = 2 }", file(), pacing + "\n",
                         settings);
  }
  std::filesystem::path file() const { return dir_ / "records"; }
  void start(const std::string& toml) {
    if (triggerd_) {
      triggerd_->write_config(toml);
    } else {
      triggerd_.emplace(toml);
    }
    triggerd_->start();
    ASSERT_TRUE(triggerd_->wait_until_running()) << triggerd_->output();
  }
  void reload(const std::string& toml) {
    const std::size_t from = triggerd_->process().line_count();
    triggerd_->write_config(toml);
    triggerd_->process().signal(SIGHUP);
    ASSERT_TRUE(triggerd_->wait_for_event("runtime.reloaded", {"1 changed"}, from));
    ASSERT_TRUE(triggerd_->wait_for_event("trigger.running", {}, from));
  }
  void publish(int count, int qos = 1) {
    TestClient client(server_.port());
    for (int i = 0; i < count; ++i) {
      ASSERT_TRUE(client.publish("in/a", std::to_string(published_++), qos));
    }
  }
  nlohmann::json status() {
    const auto port = triggerd_->admin_port();
    if (!port) return nlohmann::json::object();
    const auto answer = HttpClient(*port).ask("GET", "/api/v1/triggers/t");
    return answer.status == 200 ? nlohmann::json::parse(answer.body) : nlohmann::json::object();
  }
  bool wait_for_status(const std::string& key, const nlohmann::json& value) {
    return eventually([&] { return status().value(key, nlohmann::json()) == value; });
  }
  // How many of the published messages were handled, however often each was.
  std::size_t handled() const {
    std::set<std::string> payloads;
    for (const Record& record : records(file(), "end")) payloads.insert(record.hash);
    return payloads.size();
  }
  bool wait_for_handled(std::size_t count) {
    return eventually([&] { return handled() >= count; });
  }
  void TearDown() override {
    if (HasFailure() && triggerd_) ADD_FAILURE() << triggerd_->output();
  }

  MosquittoServer server_;
  TempDir dir_;
  std::optional<TriggerdProcess> triggerd_;
  int published_ = 0;
};

// ---- max_rate ----

// One call after another: between two of them every attempt in between has begun, so in the time
// between call i and call j, those after i up to j began.
void expect_rate(const std::vector<Record>& calls, double per_second) {
  constexpr double kTolerance = 0.010;
  for (std::size_t i = 0; i < calls.size(); ++i) {
    for (std::size_t j = i + 1; j < calls.size(); ++j) {
      const std::chrono::duration<double> time = calls[j].monotonic - calls[i].monotonic;
      ASSERT_LE(static_cast<double>(j - i), 1 + (time.count() + kTolerance) * per_second)
          << "from call " << i << " to " << j << " in " << time.count() << " s";
    }
  }
}

class PacingRateTest : public PacingTest, public testing::WithParamInterface<const char*> {
 protected:
  std::string isolated(const std::string& pacing) const {
    return fmt::format("isolation = \"{}\"\n{}", GetParam(), pacing);
  }
};

TEST_P(PacingRateTest, NeverMoreThanItIsAndNothingIsLost) {
  start(config(isolated("max_rate = \"50/s\"")));
  publish(60);
  ASSERT_TRUE(wait_for_handled(60));
  const std::vector<Record> calls = records(file());
  EXPECT_EQ(calls.size(), 60U);
  expect_rate(calls, 50);
  EXPECT_EQ(triggerd_->stop(), (Exit{0, 0}));
}

TEST_P(PacingRateTest, WhatTheServiceDoesNotSeeDoesNotCount) {
  start(config(isolated("max_rate = \"1/h\"\nwhen = '. >= 30'")));
  publish(32);
  ASSERT_TRUE(wait_for_handled(1)) << "else it would take 30 hours";
  ASSERT_TRUE(wait_for_status("queued", 1));
  EXPECT_EQ(records(file()).size(), 1U);
  EXPECT_EQ(records(file()).front().hash, fnv1a("30"));
}

TEST_P(PacingRateTest, AReloadChangesIt) {
  start(config(isolated("max_rate = \"1/h\"")));
  publish(5);
  ASSERT_TRUE(wait_for_handled(1));
  ASSERT_TRUE(wait_for_status("queued", 4));
  ASSERT_TRUE(wait_for_status("rate_holds", true));
  EXPECT_EQ(status().value("max_rate", ""), "1/h");
  EXPECT_TRUE(eventually([&] { return status().value("rate_held_seconds", 0.0) > 0; }));
  EXPECT_EQ(records(file()).size(), 1U);
  reload(config(isolated("max_rate = \"1000/s\"")));
  EXPECT_TRUE(wait_for_handled(5));
  EXPECT_EQ(records(file()).size(), 5U);
}

INSTANTIATE_TEST_SUITE_P(Isolation, PacingRateTest, testing::Values("none", "process"),
                         [](const auto& one) { return std::string(one.param); });

TEST_F(PacingTest, MoreThanTheQueueTakesWaitsAtTheServer) {
  start(config("max_rate = \"100/s\"\nqueue_capacity = 5"));
  publish(50);
  ASSERT_TRUE(wait_for_handled(50));
  expect_rate(records(file()), 100);
}

TEST_F(PacingTest, AStopWaitsForNoTurnThatComesTooLate) {
  start(config("max_rate = \"1/h\""));
  publish(3);
  ASSERT_TRUE(wait_for_status("queued", 2));
  EXPECT_EQ(triggerd_->stop(), (Exit{0, 0})) << "drain_timeout is ten minutes";
  start(config(""));
  EXPECT_TRUE(wait_for_handled(3));
}

// ---- delay ----

// No call began sooner after the receipt of its message.
void expect_delay(const std::vector<Record>& calls, nanoseconds delay) {
  for (const Record& call : calls) {
    EXPECT_GE((call.wall - call.received).count(), delay.count()) << call.hash;
  }
}

TEST_F(PacingTest, EachMessageWaitsForItsDelayInItsOrder) {
  start(config("delay = \"300ms\""));
  publish(20);
  ASSERT_TRUE(wait_for_handled(20));
  const std::vector<Record> calls = records(file());
  ASSERT_EQ(calls.size(), 20U);
  expect_delay(calls, Millis(300));
  for (int i = 0; i < 20; ++i) {
    EXPECT_EQ(calls[static_cast<std::size_t>(i)].hash, fnv1a(std::to_string(i)));
  }
}

TEST_F(PacingTest, AKillDuringTheDelayLosesNothingAndHandsNothingOutEarly) {
  start(config("delay = \"3s\""));
  publish(5, 1);
  publish(5, 2);
  ASSERT_TRUE(wait_for_status("received", 10));
  triggerd_->kill();
  start(config("delay = \"3s\""));
  ASSERT_TRUE(wait_for_handled(10));
  expect_delay(records(file()), Millis(3'000));
}

TEST_F(PacingTest, AStopDuringTheDelayKeepsAllForTheNextStart) {
  start(config("delay = \"1h\""));
  publish(3, 0);
  publish(3, 1);
  publish(3, 2);
  ASSERT_TRUE(wait_for_status("waiting_for_delay", 9));
  EXPECT_EQ(status().value("delay", ""), "1h");
  EXPECT_EQ(triggerd_->stop(), (Exit{0, 0})) << "drain_timeout is ten minutes";
  start(config("delay = \"1h\""));
  EXPECT_TRUE(wait_for_status("waiting_for_delay", 9));
  EXPECT_TRUE(records(file()).empty());
  EXPECT_EQ(triggerd_->stop(), (Exit{0, 0}));
  start(config("delay = \"1ms\""));
  EXPECT_TRUE(wait_for_handled(9));
  EXPECT_EQ(records(file()).size(), 9U);
}

TEST_F(PacingTest, AReloadShortensTheDelayOfWhatWaits) {
  start(config("delay = \"1h\""));
  publish(4);
  ASSERT_TRUE(wait_for_status("waiting_for_delay", 4));
  reload(config(""));
  EXPECT_TRUE(wait_for_handled(4));
  EXPECT_EQ(records(file()).size(), 4U);
}

TEST_F(PacingTest, MoreThanTheQueueTakesWaitsAtTheServerForItsDelay) {
  start(config("delay = \"100ms\"\nqueue_capacity = 5"));
  publish(30);
  ASSERT_TRUE(wait_for_handled(30));
  expect_delay(records(file()), Millis(100));
}

TEST_F(PacingTest, AReplayedDeadLetterIsNotDelayedAgain) {
  const std::string settings =
      fmt::format("mode = \"reject-until\"\nflag = \"{}\"", (dir_ / "flag").string());
  const std::string service = "service = \"recorder:misbehave\"\n";
  start(config(service + "delay = \"1ms\"", settings));
  publish(1);
  ASSERT_TRUE(triggerd_->wait_for_event("message.dead_letter"));
  std::ofstream(dir_ / "flag") << "take it";
  reload(config(service + "delay = \"1h\"", settings));
  const auto port = triggerd_->admin_port();
  ASSERT_TRUE(port);
  EXPECT_EQ(HttpClient(*port)
                .ask("POST", "/api/v1/dead-letters/replay", "Content-Type: application/json\r\n",
                     "{\"trigger\":\"t\"}")
                .status,
            200);
  EXPECT_TRUE(wait_for_handled(1));
}

}  // namespace
}  // namespace triggerd::test
