// What services do, good and bad, and what becomes of their messages.
#include <gtest/gtest.h>
#include <signal.h>
#include <sqlite3.h>

#include <algorithm>
#include <set>

#include "integration/recorded.hpp"
#include "support/mosquitto.hpp"
#include "support/mqtt_client.hpp"
#include "support/triggerd_process.hpp"

namespace triggerd::test {
namespace {

class ServiceTest : public testing::Test {
 protected:
  std::filesystem::path file(const std::string& name = "records") const { return dir_ / name; }

  // A trigger "bad" with a misbehaving service beside a good one, both on "x".
  std::string config(const std::string& mode, const std::string& more = {},
                     const std::string& runtime = {}) const {
    return runtime_table(runtime) + alias_table("a", server_.port()) +
           trigger_table("bad", "a", "\"x\"", file("bad"),
                         "service = \"recorder:misbehave\"\n" + more,
                         fmt::format("mode = \"{}\"", mode)) +
           trigger_table("good", "a", "\"x\"", file("good"));
  }
  void publish(const std::string& payload = "payload") {
    ASSERT_TRUE(TestClient(server_.port()).publish("x", payload));
  }
  struct DeadLetter {
    std::string trigger, topic, payload, reason;
    int attempts;
  };
  // As somebody with sqlite3(1) would read them, beside the running runtime.
  static std::vector<DeadLetter> dead_letters(const TriggerdProcess& triggerd) {
    sqlite3* database = nullptr;
    const std::string name = (triggerd.dir() / "var" / "inbox.db").string();
    std::vector<DeadLetter> letters;
    if (sqlite3_open_v2(name.c_str(), &database, SQLITE_OPEN_READONLY, nullptr) == SQLITE_OK) {
      sqlite3_stmt* query = nullptr;
      sqlite3_prepare_v2(database,
                         "SELECT trigger_name, topic, payload, reason, attempts FROM dead_letter"
                         " ORDER BY number",
                         -1, &query, nullptr);
      while (sqlite3_step(query) == SQLITE_ROW) {
        const auto text = [query](int column) {
          return std::string(reinterpret_cast<const char*>(sqlite3_column_text(query, column)));
        };
        letters.push_back({text(0), text(1), text(2), text(3), sqlite3_column_int(query, 4)});
      }
      sqlite3_finalize(query);
    }
    sqlite3_close(database);
    return letters;
  }

  struct Kept {
    std::string trigger, payload;
    int attempts;
  };
  // What the inbox keeps of messages that are not finished.
  static std::vector<Kept> kept_messages(const TriggerdProcess& triggerd) {
    sqlite3* database = nullptr;
    const std::string name = (triggerd.dir() / "var" / "inbox.db").string();
    std::vector<Kept> kept;
    if (sqlite3_open_v2(name.c_str(), &database, SQLITE_OPEN_READONLY, nullptr) == SQLITE_OK) {
      sqlite3_stmt* query = nullptr;
      sqlite3_prepare_v2(database,
                         "SELECT trigger_name, payload, attempts FROM message ORDER BY number", -1,
                         &query, nullptr);
      while (sqlite3_step(query) == SQLITE_ROW) {
        const auto text = [query](int column) {
          return std::string(static_cast<const char*>(sqlite3_column_blob(query, column)),
                             static_cast<std::size_t>(sqlite3_column_bytes(query, column)));
        };
        kept.push_back({text(0), text(1), sqlite3_column_int(query, 2)});
      }
      sqlite3_finalize(query);
    }
    sqlite3_close(database);
    return kept;
  }

  TempDir dir_;
  MosquittoServer server_;
};

constexpr const char* kQuickRetry =
    "retry = { max_attempts = 3, interval = \"20ms\", max_interval = \"40ms\" }";

TEST_F(ServiceTest, ARetryIsHandledInTheEnd) {
  TriggerdProcess triggerd(config("retry-twice", kQuickRetry));
  triggerd.start();
  ASSERT_TRUE(triggerd.wait_until_running()) << triggerd.output();
  publish();
  ASSERT_TRUE(eventually([&] { return records(file("bad")).size() == 3; })) << triggerd.output();
  EXPECT_EQ(triggerd.stop(), (Exit{0, 0}));
  for (unsigned i = 0; i < 3; ++i) EXPECT_EQ(records(file("bad"))[i].attempt, i + 1);
  EXPECT_TRUE(dead_letters(triggerd).empty());
}

struct Misbehaviour {
  const char* mode;
  const char* reason;        // of the dead letter
  const char* timeout = "";  // of the trigger, where it is to be over
};

class MisbehavingService : public ServiceTest, public testing::WithParamInterface<Misbehaviour> {};

TEST_P(MisbehavingService, CostsItsAttemptsAndNothingElse) {
  TriggerdProcess triggerd(config(GetParam().mode, std::string(GetParam().timeout) + kQuickRetry));
  triggerd.start();
  ASSERT_TRUE(triggerd.wait_until_running()) << triggerd.output();
  publish();
  ASSERT_TRUE(triggerd.wait_for_event("message.dead_letter", {"trigger=bad"})) << triggerd.output();
  ASSERT_TRUE(wait_for_records(file("good"), 1));
  const auto letters = dead_letters(triggerd);
  ASSERT_EQ(letters.size(), 1U);
  EXPECT_EQ(letters[0].trigger, "bad");
  EXPECT_EQ(letters[0].payload, "payload");
  EXPECT_NE(letters[0].reason.find(GetParam().reason), std::string::npos) << letters[0].reason;
  EXPECT_EQ(triggerd.stop(), (Exit{0, 0})) << triggerd.output();
}

INSTANTIATE_TEST_SUITE_P(
    , MisbehavingService,
    testing::Values(Misbehaviour{"throw", "thrown through the ABI"},
                    Misbehaviour{"throw-int", "out of attempts (3)"},
                    Misbehaviour{"nonsense", "the service returned 4711, which is not a verdict"},
                    Misbehaviour{"never", "no verdict within 200ms", "timeout = \"200ms\"\n"},
                    Misbehaviour{"reject", "not to my taste"},
                    Misbehaviour{"unterminated-reason", "xxxxx"},
                    Misbehaviour{"retry", "the service gave no reason"}),
    [](const auto& info) {
      std::string name = info.param.mode;
      std::replace(name.begin(), name.end(), '-', '_');
      return name;
    });

TEST_F(ServiceTest, ALateAnswerIsRefused) {
  const auto flag = dir_ / "late";
  TriggerdProcess triggerd(config(fmt::format("late\"\nflag = \"{}", flag.string()),
                                  "timeout = \"200ms\"\nretry = { max_attempts = 1 }"));
  triggerd.start();
  ASSERT_TRUE(triggerd.wait_until_running()) << triggerd.output();
  publish();
  EXPECT_TRUE(triggerd.wait_for_event("message.dead_letter", {"no verdict within 200ms"}));
  std::ofstream(flag) << "now";
  EXPECT_TRUE(triggerd.process().wait_for_line("late answer: -3")) << triggerd.output();
  EXPECT_EQ(triggerd.stop(), (Exit{0, 0}));
  EXPECT_EQ(dead_letters(triggerd).size(), 1U);
}

TEST_F(ServiceTest, ASecondAnswerIsRefused) {
  TriggerdProcess triggerd(config("twice"));
  triggerd.start();
  ASSERT_TRUE(triggerd.wait_until_running()) << triggerd.output();
  publish();
  EXPECT_TRUE(triggerd.process().wait_for_line("answers: 0 -3")) << triggerd.output();
  ASSERT_TRUE(wait_for_records(file("good"), 1));
  EXPECT_EQ(triggerd.stop(), (Exit{0, 0}));
  EXPECT_TRUE(dead_letters(triggerd).empty());
  EXPECT_TRUE(triggerd.process().wait_for_line("2 messages received, 2 handled"))
      << triggerd.output();
}

TEST_F(ServiceTest, ACallThatNeverReturnsIsNamedAndTheProcessStillEnds) {
  // All of drain_timeout passes: time enough for what the inbox is to know by then.
  TriggerdProcess triggerd(config("hang", "timeout = \"200ms\"", "drain_timeout = \"5s\""));
  triggerd.start();
  ASSERT_TRUE(triggerd.wait_until_running()) << triggerd.output();
  publish("one");
  publish("two");
  EXPECT_TRUE(triggerd.wait_for_event("message.overdue", {"trigger=bad"})) << triggerd.output();
  ASSERT_TRUE(wait_for_records(file("good"), 2)) << "the other trigger does not notice";
  EXPECT_EQ(triggerd.stop(), (Exit{0, 0})) << triggerd.output();
  EXPECT_TRUE(triggerd.wait_for_event("trigger.hung", {"trigger=bad"})) << triggerd.output();
  const auto kept = kept_messages(triggerd);
  ASSERT_EQ(kept.size(), 2U) << "the one in its hands, and the one behind it";
  EXPECT_EQ(kept[0].payload, "one");
  EXPECT_EQ(kept[0].attempts, 1);
  EXPECT_EQ(kept[1].payload, "two");
  EXPECT_EQ(dead_letters(triggerd).size(), 0U);
}

TEST_F(ServiceTest, AServiceThatDoesNotStartTakesItsTriggerOutAndNoOther) {
  TriggerdProcess triggerd(config("no-start"));
  triggerd.start();
  ASSERT_TRUE(
      triggerd.wait_for_event("trigger.not_running", {"trigger=bad", "the database is away"}))
      << triggerd.output();
  ASSERT_TRUE(triggerd.wait_for_event("trigger.running", {"trigger=good"})) << triggerd.output();
  publish();
  EXPECT_TRUE(wait_for_records(file("good"), 1));
  EXPECT_EQ(triggerd.stop(), (Exit{0, 0})) << triggerd.output();
}

TEST_F(ServiceTest, SuspendStopsTheTriggerAndKeepsItsMessages) {
  TriggerdProcess triggerd(
      config("retry", "on_exhausted = \"suspend\"\nretry = { max_attempts = 1 }"));
  triggerd.start();
  ASSERT_TRUE(triggerd.wait_until_running()) << triggerd.output();
  publish();
  ASSERT_TRUE(triggerd.wait_for_event("trigger.suspended", {"trigger=bad"})) << triggerd.output();
  ASSERT_TRUE(triggerd.wait_for_event("trigger.paused", {"trigger=bad", "suspended"}));
  // A message that comes before that may still be received, and be kept too.
  ASSERT_TRUE(server_.process().wait_for_line(".bad disconnected"));
  publish("later");
  ASSERT_TRUE(wait_for_records(file("good"), 2));
  EXPECT_EQ(records(file("bad")).size(), 1U) << "nothing is handed to it any more";
  EXPECT_EQ(triggerd.stop(), (Exit{0, 0}));
  ASSERT_EQ(kept_messages(triggerd).size(), 1U) << "the message it had is kept";
  EXPECT_EQ(dead_letters(triggerd).size(), 0U);
}

TEST_F(ServiceTest, DiscardIsForThoseWhoChooseIt) {
  TriggerdProcess triggerd(
      config("retry", "on_exhausted = \"discard\"\nretry = { max_attempts = 1 }"));
  triggerd.start();
  ASSERT_TRUE(triggerd.wait_until_running()) << triggerd.output();
  publish();
  EXPECT_TRUE(triggerd.wait_for_event("message.discarded", {"trigger=bad"})) << triggerd.output();
  EXPECT_EQ(triggerd.stop(), (Exit{0, 0}));
  EXPECT_TRUE(dead_letters(triggerd).empty());
}

TEST_F(ServiceTest, ADeadLetterIsAlsoPublishedWhereItsTopicSays) {
  TestClient watcher(server_.port());
  ASSERT_TRUE(watcher.subscribe("dead"));
  TriggerdProcess triggerd(config("reject", "dead_letter_topic = \"dead\""));
  triggerd.start();
  ASSERT_TRUE(triggerd.wait_until_running()) << triggerd.output();
  publish("bad one");
  ASSERT_TRUE(watcher.wait_for_count(1)) << triggerd.output();
  EXPECT_EQ(watcher.messages()[0].payload, "bad one");
}

TEST_F(ServiceTest, RepublishSaysOkOnlyOnceTheServerHasIt) {
  TestClient watcher(server_.port());
  ASSERT_TRUE(watcher.subscribe("copy/#", 2));
  TriggerdProcess triggerd(runtime_table() + alias_table("a", server_.port()) + R"(
[[triggers]]
name = "copies"
alias = "a"
topics = ["in/#"]
service = "republish"
[triggers.settings]
topic = "copy/{topic:2}/{trigger}"
qos = 2
[log]
level = "debug"
)");
  triggerd.start();
  ASSERT_TRUE(triggerd.wait_until_running()) << triggerd.output();
  TestClient client(server_.port());
  for (int i = 0; i < 50; ++i) ASSERT_TRUE(client.publish("in/" + std::to_string(i), "p"));
  ASSERT_TRUE(watcher.wait_for_count(50)) << triggerd.output();
  EXPECT_EQ(watcher.messages()[0].topic, "copy/0/copies");
  EXPECT_EQ(watcher.messages()[0].qos, 2);
  EXPECT_TRUE(triggerd.wait_for_event("message.ok", {"in/49"})) << triggerd.output();
  EXPECT_EQ(triggerd.stop(), (Exit{0, 0}));
}

// ---- shutdown ----

TEST_F(ServiceTest, SigtermFinishesWhatWasAccepted) {
  TriggerdProcess triggerd(runtime_table() + alias_table("a", server_.port()) +
                           trigger_table("t", "a", "\"x\"", file(), "", "delay_ms = 20"));
  triggerd.start();
  ASSERT_TRUE(triggerd.wait_until_running()) << triggerd.output();
  TestClient client(server_.port());
  for (int i = 0; i < 100; ++i) client.publish_later("x", std::to_string(i), 1);
  ASSERT_TRUE(client.wait_published());
  ASSERT_TRUE(wait_for_records(file(), 1));
  EXPECT_EQ(triggerd.stop(), (Exit{0, 0})) << triggerd.output();
  const std::size_t handled = records(file(), "end").size();
  EXPECT_EQ(records(file(), "begin").size(), handled);
  EXPECT_TRUE(triggerd.process().wait_for_line(
      fmt::format("{} messages received, {} handled", handled, handled)))
      << triggerd.output();
  // And what had not been accepted is still the server's.
  triggerd.start();
  ASSERT_TRUE(wait_for_records(file(), 100)) << triggerd.output();
}

TEST_F(ServiceTest, WhatDrainTimeoutCutsOffIsHandledAfterTheNextStart) {
  const auto config = [this](const std::string& settings) {
    return runtime_table("drain_timeout = \"600ms\"") + alias_table("a", server_.port()) +
           trigger_table("t", "a", "\"x\"", file(), "", settings);
  };
  // Half a minute of work, so that some is left however late the stop comes.
  constexpr std::size_t kMessages = 300;
  TriggerdProcess triggerd(config("delay_ms = 200"));
  triggerd.start();
  ASSERT_TRUE(triggerd.wait_until_running()) << triggerd.output();
  TestClient client(server_.port());
  for (std::size_t i = 0; i < kMessages; ++i) client.publish_later("x", std::to_string(i), 1);
  ASSERT_TRUE(client.wait_published());
  ASSERT_TRUE(wait_for_records(file(), 1));
  EXPECT_EQ(triggerd.stop(), (Exit{0, 0})) << triggerd.output();
  const std::size_t handled = records(file(), "end").size();
  EXPECT_GT(handled, 0U);
  EXPECT_LT(handled, kMessages);
  EXPECT_GT(kept_messages(triggerd).size(), 0U);
  EXPECT_EQ(dead_letters(triggerd).size(), 0U);
  triggerd.write_config(config(""));
  triggerd.start();
  ASSERT_TRUE(wait_for_records(file(), kMessages)) << triggerd.output();
  std::set<std::string> seen;
  for (const Record& record : records(file())) seen.insert(record.hash);
  EXPECT_EQ(seen.size(), kMessages);
}

TEST_F(ServiceTest, DrainDoesNotWaitForARetryThatIsFarAway) {
  TriggerdProcess triggerd(config("retry", "retry = { interval = \"1h\", max_interval = \"1h\" }",
                                  "drain_timeout = \"10m\""));
  triggerd.start();
  ASSERT_TRUE(triggerd.wait_until_running()) << triggerd.output();
  publish();
  ASSERT_TRUE(triggerd.wait_for_event("message.retry", {"trigger=bad"})) << triggerd.output();
  EXPECT_EQ(triggerd.stop(), (Exit{0, 0})) << triggerd.output();
  const auto kept = kept_messages(triggerd);
  ASSERT_EQ(kept.size(), 1U);
  EXPECT_EQ(kept[0].attempts, 2) << "it had one more chance on the way out";
}

TEST_F(ServiceTest, ASecondSignalEndsItAtOnce) {
  TriggerdProcess triggerd(config("hang", "", "drain_timeout = \"1h\""));
  triggerd.start();
  ASSERT_TRUE(triggerd.wait_until_running()) << triggerd.output();
  publish();
  ASSERT_TRUE(eventually([&] { return records(file("bad")).size() == 1; }));
  triggerd.process().signal(SIGTERM);
  ASSERT_TRUE(triggerd.wait_for_event("runtime.stopping"));
  triggerd.process().signal(SIGTERM);
  EXPECT_EQ(triggerd.process().wait(), (Exit{1, 0}));
}

// The runtime's own thread that sums up repeated lines begins with such a line, which the service's
// stop may bring about: it is none that the service has left.
TEST_F(ServiceTest, WhatItSaysHasALevelOfItsOwn) {
  const auto trigger = [](const char* name, const char* level, const char* more) {
    return fmt::format(
        "[[triggers]]\nname = \"{}\"\nalias = \"a\"\ntopics = [\"x\"]\nservice = \"log\"\n{}\n"
        "[triggers.settings]\nlevel = \"{}\"\n",
        name, more, level);
  };
  TriggerdProcess triggerd(runtime_table() +
                           "[log]\nlevel = \"info\"\nplugins = { log = \"debug\" }\n" +
                           alias_table("a", server_.port()) + trigger("here", "debug", "") +
                           trigger("isolated", "debug", "isolation = \"process\"") +
                           trigger("finer", "trace", "log_level = \"trace\"") +
                           trigger("quiet", "warn", "log_level = \"error\""));
  triggerd.start();
  ASSERT_TRUE(triggerd.wait_until_running()) << triggerd.output();
  publish();
  for (const char* name : {"trigger=here", "trigger=isolated", "trigger=finer"}) {
    EXPECT_TRUE(triggerd.wait_for_event("plugin.log", {name})) << name << triggerd.output();
  }
  EXPECT_EQ(triggerd.stop(), (Exit{0, 0}));
  const std::string output = triggerd.output();
  EXPECT_EQ(output.find("trigger=quiet message="), std::string::npos) << output;
  EXPECT_EQ(output.find(" message.ok "), std::string::npos) << "the rest of the log is as it was";
}

TEST_F(ServiceTest, OneWhoseMessagesFillTheLogLeavesNoThreads) {
  TriggerdProcess triggerd(
      config("retry", "order = \"none\"\nretry = { max_attempts = 1000, interval = \"60s\" }\n"));
  triggerd.start();
  ASSERT_TRUE(triggerd.wait_until_running()) << triggerd.output();
  TestClient client(server_.port());
  for (int i = 0; i < 100; ++i) client.publish_later("x", std::to_string(i));
  ASSERT_TRUE(client.wait_published());
  ASSERT_TRUE(wait_for_calls(file("bad"), 100));
  EXPECT_EQ(triggerd.stop(), Exit{});
  EXPECT_EQ(triggerd.output().find("plugin.threads_left"), std::string::npos) << triggerd.output();
  EXPECT_EQ(triggerd.output().find("plugin.abandoned"), std::string::npos);
}

}  // namespace
}  // namespace triggerd::test
