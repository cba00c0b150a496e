// What stops triggers and starts them again: back-pressure beside others, suspension, removal.
#include <gtest/gtest.h>

#include <algorithm>
#include <set>

#include "integration/recorded.hpp"
#include "support/mosquitto.hpp"
#include "support/mqtt_client.hpp"
#include "support/sqlite_connection.hpp"
#include "support/triggerd_process.hpp"

namespace triggerd::test {
namespace {

using namespace std::chrono_literals;

class LifecycleTest : public testing::Test {
 protected:
  std::filesystem::path file(const std::string& name = "records") const { return dir_ / name; }

  // A trigger that is suspended by its first message, and stays so until the file is there.
  std::string suspending_until(const std::filesystem::path& healed) const {
    return trigger_table("t", "a", "\"x\"", file(),
                         "service = \"recorder:misbehave\"\nmonitor = \"recorder:guard\"\n"
                         "on_exhausted = \"suspend\"\nretry = { max_attempts = 1 }\n"
                         "monitor_interval = \"200ms\"",
                         fmt::format("mode = \"retry-until\"\nflag = \"{}\"", healed.string()));
  }

  TempDir dir_;
  MosquittoServer server_;
};

// One service sleeps with its queue full, for longer than keep-alive; the other goes on as if
// nothing was, and no connection is lost to keep-alive. A runtime without the slow one is at the
// same work at the same time, so that a busy machine is as busy for both.
TEST_F(LifecycleTest, ASlowTriggerCostsTheOthersNothing) {
  const std::string config =
      runtime_table("drain_timeout = \"100ms\"") +
      alias_table("a", server_.port(), "keep_alive = \"3s\"") +
      trigger_table("quick", "a", "\"quick\"", file("beside"), "", "mode = \"payload-delay\"") +
      trigger_table("slow", "a", "\"slow\"", file("slow"), "queue_capacity = 4",
                    waiting_until(file("never")));
  TriggerdProcess alone(
      runtime_table() + alias_table("alone", server_.port(), "keep_alive = \"3s\"") +
      trigger_table("quick", "alone", "\"quick\"", file("alone"), "", "mode = \"payload-delay\""));
  TriggerdProcess beside(config);
  for (TriggerdProcess* const triggerd : {&alone, &beside}) {
    triggerd->start();
    ASSERT_TRUE(triggerd->wait_until_running()) << triggerd->output();
  }
  TestClient client(server_.port());
  for (int i = 0; i < 30; ++i) client.publish_later("slow", "wait", 1);
  ASSERT_TRUE(client.wait_published());
  ASSERT_TRUE(wait_for_calls(file("slow"), 1));
  // Work of a known length, so that the time is the trigger's and not the machine's. Either process
  // may be held up once, which is one round: what a slow trigger costs it costs in each.
  constexpr int kRounds = 6;
  constexpr std::size_t kMessages = 50;
  int as_far = 0;
  for (std::size_t round = 1; round <= kRounds; ++round) {
    for (std::size_t i = 0; i < kMessages; ++i) client.publish_later("quick", "20", 1);
    ASSERT_TRUE(client.wait_published());
    ASSERT_TRUE(wait_for_records(file("alone"), round * kMessages, 60'000ms)) << alone.output();
    const std::size_t missing = round * kMessages - records(file("beside"), "end").size();
    if (missing < kMessages / 10) ++as_far;
    ASSERT_TRUE(wait_for_records(file("beside"), round * kMessages)) << beside.output();
  }
  EXPECT_GE(as_far, kRounds - 2) << "it is as far by then";
  EXPECT_EQ(beside.output().find("ended the connection"), std::string::npos) << beside.output();
}

// Many times what memory may hold waits in the inbox: all of it is handled, in its order, and what
// is published meanwhile comes behind it.
TEST_F(LifecycleTest, ABacklogIsHandledInWindowsAndInOrder) {
  constexpr int kBacklog = 5'000;
  TriggerdProcess triggerd(runtime_table() + alias_table("a", server_.port()) +
                           trigger_table("t", "a", "\"x\"", file(), "queue_capacity = 100"));
  triggerd.start();
  ASSERT_TRUE(triggerd.wait_until_running()) << triggerd.output();
  ASSERT_EQ(triggerd.stop(), (Exit{0, 0}));
  {
    const SqliteConnection inbox((triggerd.dir() / "var" / "inbox.db").string());
    ASSERT_EQ(inbox.run(fmt::format(
                  "WITH RECURSIVE n(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i < {})"
                  " INSERT INTO message (trigger_name, message_id, topic, payload, qos, retained,"
                  " packet_id, attempts, received_ms)"
                  " SELECT 't', 'id-' || i, 'x', CAST(i AS BLOB), 1, 0, 0, 0, 0 FROM n",
                  kBacklog - 1)),
              SQLITE_OK);
  }
  ASSERT_TRUE(TestClient(server_.port()).publish("x", "new", 1));
  triggerd.start();
  ASSERT_TRUE(wait_for_records(file(), kBacklog + 1, Millis(60'000))) << triggerd.output();
  const auto handled = records(file());
  ASSERT_EQ(handled.size(), static_cast<std::size_t>(kBacklog) + 1);
  for (int i = 0; i < kBacklog; ++i) {
    ASSERT_EQ(handled[static_cast<std::size_t>(i)].hash, fnv1a(std::to_string(i)));
  }
  EXPECT_EQ(handled.back().hash, fnv1a("new"));
}

TEST_F(LifecycleTest, ASuspendedTriggerTriesOneMessageAndGoesOn) {
  const std::filesystem::path healed = dir_ / "healed";
  TriggerdProcess triggerd(
      runtime_table() + alias_table("a", server_.port()) +
      trigger_table("t", "a", "\"x\"", file(),
                    "service = \"recorder:misbehave\"\non_exhausted = \"suspend\"\n"
                    "retry = { max_attempts = 1 }\nmonitor_interval = \"300ms\"",
                    fmt::format("mode = \"retry-until\"\nflag = \"{}\"", healed.string())));
  triggerd.start();
  ASSERT_TRUE(triggerd.wait_until_running()) << triggerd.output();
  TestClient client(server_.port());
  for (int i = 0; i < 5; ++i) ASSERT_TRUE(client.publish("x", std::to_string(i), 1));
  ASSERT_TRUE(triggerd.wait_for_event("trigger.suspended", {"trigger=t", "one message is tried"}));
  ASSERT_TRUE(triggerd.wait_for_event("trigger.suspended", {"trigger=t", "stays suspended"}));
  triggerd.kill();  // it is still suspended after that
  triggerd.start();
  ASSERT_TRUE(triggerd.wait_for_event("trigger.suspended", {"trigger=t", "stays so"}));
  std::ofstream(healed) << "yes";
  ASSERT_TRUE(triggerd.wait_for_event("trigger.resumed", {"trigger=t"})) << triggerd.output();
  ASSERT_TRUE(triggerd.wait_for_event("trigger.running", {"trigger=t"})) << triggerd.output();
  ASSERT_TRUE(client.publish("x", "last", 1));
  EXPECT_TRUE(eventually([&] {
    std::set<std::string> done;
    for (const Record& record : records(file(), "end")) done.insert(record.hash);
    return done.size() == 6;
  })) << triggerd.output();
}

// Its server keeps nothing for it: what it does not take is gone.
TEST_F(LifecycleTest, ASuspendedTriggerWithACleanSessionGoesOnReceiving) {
  const std::filesystem::path healed = dir_ / "healed";
  TriggerdProcess triggerd(runtime_table() +
                           alias_table("a", server_.port(), "clean_session = true") +
                           suspending_until(healed));
  triggerd.start();
  ASSERT_TRUE(triggerd.wait_until_running()) << triggerd.output();
  TestClient client(server_.port());
  ASSERT_TRUE(client.publish("x", "0", 1));
  ASSERT_TRUE(triggerd.wait_for_event("trigger.suspended", {"trigger=t", "stays suspended"}));
  for (int i = 1; i < 20; ++i) ASSERT_TRUE(client.publish("x", std::to_string(i), i % 2));
  ASSERT_TRUE(triggerd.wait_for_event("trigger.suspended", {"trigger=t", "stays suspended"}));
  std::ofstream(healed) << "yes";
  ASSERT_TRUE(triggerd.wait_for_event("trigger.resumed", {"trigger=t"})) << triggerd.output();
  EXPECT_TRUE(eventually([&] {
    std::set<std::string> done;
    for (const Record& record : records(file(), "end")) done.insert(record.hash);
    return done.size() == 20;
  })) << triggerd.output();
  ASSERT_TRUE(triggerd.wait_for_event("trigger.running", {"trigger=t"})) << triggerd.output();
  EXPECT_EQ(triggerd.stop(), (Exit{0, 0}));
  EXPECT_EQ(triggerd.output().find("trigger.paused"), std::string::npos) << triggerd.output();
}

TEST_F(LifecycleTest, AMonitorServiceSaysWhenASuspendedTriggerMayTry) {
  const std::filesystem::path healed = dir_ / "healed";
  TriggerdProcess triggerd(runtime_table() + alias_table("a", server_.port()) +
                           suspending_until(healed));
  triggerd.start();
  ASSERT_TRUE(triggerd.wait_until_running()) << triggerd.output();
  TestClient client(server_.port());
  ASSERT_TRUE(client.publish("x", "one", 1));
  ASSERT_TRUE(triggerd.wait_for_event(
      "trigger.suspended", {"trigger=t", "stays suspended: the database is still away"}));
  EXPECT_EQ(records(file()).size(), 1U) << "the message is not tried while its monitor says no";
  std::ofstream(healed) << "yes";
  ASSERT_TRUE(triggerd.wait_for_event("trigger.resumed", {"trigger=t"})) << triggerd.output();
  EXPECT_TRUE(wait_for_records(file(), 1));
  EXPECT_EQ(triggerd.stop(), (Exit{0, 0}));
}

TEST_F(LifecycleTest, AMonitorWithoutAProbeIsAnErrorOfTheConfiguration) {
  TriggerdProcess triggerd(
      runtime_table() + alias_table("a", server_.port()) +
      trigger_table("t", "a", "\"x\"", file(), "monitor = \"recorder:record\""));
  const CheckResult checked = triggerd.check();
  EXPECT_EQ(checked.exit, (Exit{2, 0}));
  EXPECT_NE(checked.output.find("service \"recorder:record\" has no probe"), std::string::npos)
      << checked.output;
}

TEST_F(LifecycleTest, ARemovedTriggersSessionIsEndedAtTheServer) {
  const std::string kept = trigger_table("kept", "a", "\"x\"", file());
  TriggerdProcess triggerd(runtime_table() + alias_table("a", server_.port()) + kept +
                           trigger_table("gone", "a", "\"x\"", file("gone")));
  triggerd.start();
  ASSERT_TRUE(triggerd.wait_until_running()) << triggerd.output();
  ASSERT_EQ(triggerd.stop(), (Exit{0, 0}));
  triggerd.write_config(runtime_table() + alias_table("a", server_.port()) + kept);
  triggerd.start();
  ASSERT_TRUE(triggerd.wait_for_event("session.ended", {"client_id=client-a.gone"}))
      << triggerd.output();
  ASSERT_EQ(triggerd.stop(), (Exit{0, 0}));
  triggerd.start();
  ASSERT_TRUE(triggerd.wait_until_running()) << triggerd.output();
  EXPECT_EQ(triggerd.output().find("session.ended"), std::string::npos) << "once is enough";
}

}  // namespace
}  // namespace triggerd::test
