// The runtime as a library, as its administrator will use it: triggers are disabled and enabled,
// dead letters listed, edited, replayed and dropped, while messages come from a real server.
#include <gtest/gtest.h>

#include "config/load.hpp"
#include "control/runtime.hpp"
#include "integration/recorded.hpp"
#include "management/dead_letters.hpp"
#include "management/definitions.hpp"
#include "management/events.hpp"
#include "management/states.hpp"
#include "management/status.hpp"
#include "management/test_runs.hpp"
#include "mqtt/paho/handles.hpp"
#include "support/kept_log.hpp"
#include "support/mosquitto.hpp"
#include "support/mqtt_client.hpp"
#include "support/scripted_broker.hpp"

namespace triggerd::test {
namespace {

class AdministrationTest : public testing::Test {
 protected:
  std::filesystem::path file() const { return dir_ / "records"; }

  // A trigger "t" on "x" with `more` in its table.
  void start(const std::string& more, const std::string& settings) {
    const std::filesystem::path toml = dir_ / "triggers.toml";
    std::ofstream(toml) << runtime_table() + alias_table("a", server_.port()) +
                               trigger_table("t", "a", "\"x\"", file(), more, settings);
    auto loaded = config::load(toml, config::process_environment());
    ASSERT_TRUE(loaded);
    config_ = std::move(*loaded);
    std::filesystem::create_directories(dir_ / "state");
    start_again();
  }
  void start_again() {
    control::RuntimeOptions options;
    options.config_file = dir_ / "triggers.toml";
    options.load = [file = dir_ / "triggers.toml"](const std::optional<std::string>& managed) {
      return config::load(file, config::process_environment(), {}, managed);
    };
    runtime_ = std::make_unique<control::Runtime>(config_, dir_ / "state", log_, options);
    ASSERT_TRUE(runtime_->prepare());
    ASSERT_TRUE(runtime_->start());
  }
  bool wait_for_log(const std::string& event, std::size_t count = 1) {
    return eventually([&] { return log_.lines(event).size() >= count; });
  }
  void TearDown() override {
    if (runtime_) {
      EXPECT_TRUE(runtime_->stop());
    }
  }

  TempDir dir_;
  MosquittoServer server_;
  CaptureLog& log_ = kept_log();
  config::Config config_;
  std::unique_ptr<control::Runtime> runtime_;
};

TEST_F(AdministrationTest, ADisabledTriggerHandlesNothingUntilItIsEnabled) {
  start("", "delay_ms = 1");
  ASSERT_TRUE(wait_for_log("runtime.ready"));
  TestClient client(server_.port());
  ASSERT_TRUE(client.publish("x", "before", 1));
  ASSERT_TRUE(wait_for_records(file(), 1));
  ASSERT_TRUE(runtime_->management().states.disable_trigger("t", "somebody", "maintenance"));
  EXPECT_FALSE(runtime_->management().states.disable_trigger("nobody", "somebody", "maintenance"));
  ASSERT_TRUE(wait_for_log("trigger.paused"));
  // A message that comes before that may still be received, and then come twice.
  ASSERT_TRUE(server_.process().wait_for_line("Client client-a.t disconnected"));
  ASSERT_TRUE(client.publish("x", "meanwhile", 1));
  EXPECT_EQ(records(file()).size(), 1U);
  const auto state = runtime_->inbox().triggers().state("t");
  ASSERT_TRUE(state && *state);
  EXPECT_EQ((*state)->changed_by, "somebody");
  EXPECT_EQ((*state)->reason, "maintenance");
  ASSERT_TRUE(runtime_->management().states.enable_trigger("t", "somebody"));
  ASSERT_TRUE(wait_for_records(file(), 2)) << "the server has kept it";
  EXPECT_EQ(records(file()).size(), 2U);
  EXPECT_FALSE(*runtime_->inbox().triggers().state("t"));
}

TEST_F(AdministrationTest, DeadLettersAreEditedReplayedAndDropped) {
  const std::filesystem::path healed = dir_ / "healed";
  start("service = \"recorder:misbehave\"",
        fmt::format("mode = \"reject-until\"\nflag = \"{}\"", healed.string()));
  ASSERT_TRUE(wait_for_log("runtime.ready"));
  TestClient client(server_.port());
  for (const char* payload : {"one", "two", "three"}) ASSERT_TRUE(client.publish("x", payload, 1));
  ASSERT_TRUE(wait_for_log("message.dead_letter", 3));
  inbox::Inbox& inbox = runtime_->inbox();
  const auto letters = inbox.dead_letters().newest("t", 10);
  ASSERT_TRUE(letters);
  ASSERT_EQ(letters->size(), 3U);
  const inbox::DeadLetter& three = letters->at(0);
  const inbox::DeadLetter& two = letters->at(1);
  const inbox::DeadLetter& one = letters->at(2);
  EXPECT_EQ(one.payload, "one");

  ASSERT_TRUE(inbox.dead_letters().drop(one.number));
  ASSERT_TRUE(inbox.dead_letters().edit(two.number, "y", "mended"));
  std::ofstream(healed) << "yes";
  ASSERT_TRUE(runtime_->management().dead_letters.replay_dead_letter(two.number, "somebody"));
  ASSERT_TRUE(runtime_->management().dead_letters.replay_dead_letter(three.number, "somebody"));
  EXPECT_FALSE(runtime_->management().dead_letters.replay_dead_letter(three.number, "somebody"))
      << "it is one no more";
  ASSERT_TRUE(wait_for_records(file(), 2));
  const auto handled = records(file(), "end");
  EXPECT_EQ(handled[0].topic, "y");
  EXPECT_EQ(handled[0].hash, fnv1a("mended"));
  EXPECT_EQ(handled[0].id, two.message_id) << "the same message";
  EXPECT_EQ(handled[0].attempt, 1U) << "counted anew";
  EXPECT_EQ(handled[1].hash, fnv1a("three"));
  EXPECT_TRUE(inbox.dead_letters().newest("", 10)->empty());
  EXPECT_TRUE(eventually([&] { return inbox.messages().counts()->empty(); }));
}

// With a managed file, in the folder that the configuration names.
class ManagedTest : public AdministrationTest {
 protected:
  void start_managed(const std::string& more = "manage = true") {
    const std::filesystem::path toml = dir_ / "triggers.toml";
    std::ofstream(toml) << runtime_table("state_dir = \"state\"") + "[admin]\n" + more + "\n" +
                               alias_table("a", server_.port()) +
                               trigger_table("t", "a", "\"x\"", file());
    std::filesystem::create_directories(dir_ / "state");
    load_and_start();
  }
  void load_and_start() {
    auto loaded = config::load(dir_ / "triggers.toml", config::process_environment());
    ASSERT_TRUE(loaded);
    config_ = std::move(*loaded);
    start_again();
  }
  management::Outcome<management::ReloadReport> change(management::DefinitionChange::Verb verb,
                                                       const std::string& name, std::string json,
                                                       management::DefinitionKind kind,
                                                       bool check_only = false) {
    return runtime_->management().definitions.change_definition(
        {.verb = verb,
         .kind = kind,
         .name = name,
         .text = {management::DefinitionText::Format::json, std::move(json)},
         .check_only = check_only},
        "somebody");
  }
  std::string trigger_json(const std::string& topics) const {
    return fmt::format(
        R"({{"alias":"a","topics":[{}],"service":"recorder:record","settings":{{"file":"{}"}}}})",
        topics, (dir_ / "managed-records").string());
  }
  using Verb = management::DefinitionChange::Verb;
  using Kind = management::DefinitionKind;
};

TEST_F(ManagedTest, ATriggerIsCreatedReplacedKeptOverARestartAndDeleted) {
  start_managed();
  ASSERT_TRUE(wait_for_log("runtime.ready"));
  ASSERT_TRUE(change(Verb::create, "m", trigger_json("\"y\""), Kind::trigger));
  ASSERT_TRUE(eventually([&] { return runtime_->management().status.trigger("m")->running; }));
  EXPECT_EQ(runtime_->management().status.trigger("m")->definition.origin,
            management::Definition::Origin::managed);
  TestClient client(server_.port());
  ASSERT_TRUE(client.publish("y", "one", 1));
  ASSERT_TRUE(wait_for_records(dir_ / "managed-records", 1));

  const auto wrong = change(Verb::replace, "m", trigger_json("\"y\", \"z/#/z\""), Kind::trigger);
  ASSERT_FALSE(wrong);
  EXPECT_EQ(wrong.error().kind, management::AdminError::Kind::invalid);
  ASSERT_EQ(wrong.error().problems.size(), 1U);
  EXPECT_EQ(wrong.error().problems[0].key, "topics.1");
  EXPECT_TRUE(wrong.error().problems[0].file.empty());
  EXPECT_TRUE(change(Verb::replace, "m", trigger_json("\"z\""), Kind::trigger, true));
  EXPECT_EQ(runtime_->management().status.trigger("m")->filters.at(0).filter, "y")
      << "it was only checked";

  ASSERT_TRUE(change(Verb::replace, "m", trigger_json("\"z\""), Kind::trigger));
  ASSERT_TRUE(runtime_->stop());
  load_and_start();
  ASSERT_TRUE(eventually([&] { return runtime_->management().status.trigger("m")->running; }));
  ASSERT_TRUE(client.publish("z", "two", 1));
  ASSERT_TRUE(wait_for_records(dir_ / "managed-records", 2));
  ASSERT_TRUE(change(Verb::remove, "m", "", Kind::trigger));
  EXPECT_FALSE(runtime_->management().status.trigger("m"));
  EXPECT_TRUE(wait_for_log("session.ended"));
}

TEST_F(ManagedTest, WhatAFileDefinesIsReadOnlyAndSaysWhere) {
  start_managed();
  const auto refused = change(Verb::replace, "t", trigger_json("\"y\""), Kind::trigger);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().kind, management::AdminError::Kind::conflict);
  EXPECT_NE(refused.error().message.find("triggers.toml:"), std::string::npos);
  const auto twice = change(Verb::create, "t", trigger_json("\"y\""), Kind::trigger);
  ASSERT_FALSE(twice);
  EXPECT_EQ(twice.error().kind, management::AdminError::Kind::conflict);
}

TEST_F(ManagedTest, WithoutManageNoDefinitionChanges) {
  start_managed("manage = false");
  const auto refused = change(Verb::create, "m", trigger_json("\"y\""), Kind::trigger);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().kind, management::AdminError::Kind::refused);
  EXPECT_FALSE(std::filesystem::exists(dir_ / "state" / "managed.toml"));
}

TEST_F(ManagedTest, APasswordDoesNotComeBackAndIsKeptByAnEdit) {
  start_managed();
  const std::string host =
      fmt::format(R"("host":"tcp://127.0.0.1:{}","user_name":"u")", server_.port());
  ASSERT_TRUE(change(Verb::create, "b", "{" + host + R"(,"password":"hunter2"})", Kind::alias));
  const auto shown = runtime_->management().status.alias("b");
  ASSERT_TRUE(shown);
  EXPECT_EQ(shown->definition.json.find("hunter2"), std::string::npos);
  EXPECT_EQ(shown->definition.secrets, std::vector<std::string>{"password"});
  ASSERT_TRUE(change(Verb::replace, "b", "{" + host + R"(,"keep_alive":"7s"})", Kind::alias));
  std::ifstream in(dir_ / "state" / "managed.toml");
  const std::string kept{std::istreambuf_iterator<char>(in), {}};
  EXPECT_NE(kept.find("hunter2"), std::string::npos);
  ASSERT_TRUE(
      change(Verb::create, "m",
             R"({"alias":"b","topics":["q"],"service":"recorder:record","settings":{"file":"f"}})",
             Kind::trigger));
  const auto used = change(Verb::remove, "b", "", Kind::alias);
  ASSERT_FALSE(used) << "a trigger uses it";
  EXPECT_EQ(used.error().kind, management::AdminError::Kind::conflict);
  EXPECT_NE(used.error().message.find(R"(cannot be deleted: trigger "m" uses it; )"),
            std::string::npos)
      << used.error().message;
  ASSERT_TRUE(
      change(Verb::create, "n",
             R"({"alias":"b","topics":["r"],"service":"recorder:record","settings":{"file":"f"}})",
             Kind::trigger));
  const auto both = change(Verb::remove, "b", "", Kind::alias);
  ASSERT_FALSE(both);
  EXPECT_NE(both.error().message.find(R"(triggers "m" and "n" use it; )"), std::string::npos)
      << both.error().message;
}

TEST_F(ManagedTest, WhatWasCreatedDisabledIsEnabled) {
  start_managed();
  const std::string host = fmt::format(R"("host":"tcp://127.0.0.1:{}")", server_.port());
  ASSERT_TRUE(change(Verb::create, "b", "{" + host + R"(,"enabled":false})", Kind::alias));
  ASSERT_TRUE(change(Verb::create, "m",
                     fmt::format(R"({{"alias":"b","topics":["y"],"service":"recorder:record",)"
                                 R"("enabled":false,"settings":{{"file":"{}"}}}})",
                                 (dir_ / "managed-records").string()),
                     Kind::trigger));
  const auto alias = runtime_->management().states.enable_alias("b", "somebody");
  ASSERT_TRUE(alias) << alias.error().message;
  EXPECT_TRUE(runtime_->management().status.alias("b")->enabled);
  const auto trigger = runtime_->management().states.enable_trigger("m", "somebody");
  ASSERT_TRUE(trigger) << trigger.error().message;
  ASSERT_TRUE(eventually([&] { return runtime_->management().status.trigger("m")->running; }));
  ASSERT_TRUE(runtime_->management().states.disable_trigger("m", "somebody", "again"));
  ASSERT_TRUE(runtime_->management().states.enable_trigger("m", "somebody"));
  ASSERT_TRUE(runtime_->stop());
  load_and_start();
  ASSERT_TRUE(eventually([&] { return runtime_->management().status.trigger("m")->running; }))
      << "it stays so over a restart";
}

TEST_F(ManagedTest, ADisabledAliasStaysSoOverARestart) {
  start_managed();
  ASSERT_TRUE(wait_for_log("runtime.ready"));
  ASSERT_TRUE(runtime_->management().states.disable_alias("a", "somebody", "maintenance"));
  EXPECT_FALSE(runtime_->management().status.alias("a")->enabled);
  EXPECT_EQ(runtime_->management().status.alias("a")->disabled_by, "somebody");
  EXPECT_EQ(runtime_->management().status.trigger("t")->not_running_reason,
            "its alias is disabled");
  ASSERT_TRUE(runtime_->stop());
  load_and_start();
  EXPECT_FALSE(runtime_->management().status.alias("a")->enabled);
  TestClient client(server_.port());
  ASSERT_TRUE(client.publish("x", "meanwhile", 1));
  ASSERT_TRUE(runtime_->management().states.enable_alias("a", "somebody"));
  ASSERT_TRUE(wait_for_records(file(), 1)) << "the server has kept it";
}

TEST_F(ManagedTest, AnAliasAndATriggerAreTried) {
  start_managed();
  ASSERT_TRUE(wait_for_log("runtime.ready"));
  const auto good = runtime_->management().test_runs.test_alias("a", kPatience);
  ASSERT_TRUE(good);
  EXPECT_TRUE(good->ok) << good->reason;
  const auto bad = runtime_->management().test_runs.test_alias(
      "new", {management::DefinitionText::Format::toml, "host = \"tcp://127.0.0.1:1\""}, kPatience);
  ASSERT_TRUE(bad);
  EXPECT_FALSE(bad->ok);
  EXPECT_NE(bad->reason.find("refused"), std::string::npos) << bad->reason;
  const auto tried = runtime_->management().test_runs.test_trigger(
      "t", {.topic = "x", .payload = "tried"}, kPatience);
  ASSERT_TRUE(tried) << tried.error().message;
  EXPECT_EQ(tried->verdict, "ok");
  ASSERT_TRUE(wait_for_records(file(), 1)) << "the service was called";
  EXPECT_EQ(runtime_->management().status.trigger("t")->counters.received, 0U);
}

TEST_F(ManagedTest, AStoredPasswordGoesToNoOtherServer) {
  start_managed();
  const std::string host =
      fmt::format(R"("host":"tcp://127.0.0.1:{}","user_name":"u")", server_.port());
  ASSERT_TRUE(change(Verb::create, "b", "{" + host + R"(,"password":"hunter2"})", Kind::alias));
  ScriptedBroker elsewhere;
  const std::string other =
      fmt::format(R"({{"host":"tcp://127.0.0.1:{}","user_name":"u")", elsewhere.port());
  const auto expect_refused = [](const auto& refused) {
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().kind, management::AdminError::Kind::invalid);
    ASSERT_EQ(refused.error().problems.size(), 1U);
    EXPECT_EQ(refused.error().problems[0].key, "password");
  };
  expect_refused(runtime_->management().test_runs.test_alias(
      "b", {management::DefinitionText::Format::json, other + "}"}, kPatience));
  expect_refused(change(Verb::replace, "b", other + "}", Kind::alias));
  EXPECT_TRUE(elsewhere.connections().empty());
  const auto own = runtime_->management().test_runs.test_alias(
      "b", {management::DefinitionText::Format::json, other + R"(,"password":"own"})"}, kPatience);
  ASSERT_TRUE(own) << own.error().message;
  EXPECT_TRUE(own->ok) << own->reason;
}

// What is made for a test of an alias, or of a trigger that comes and goes, is gone with it.
TEST_F(ManagedTest, NothingIsLeftOfWhatComesAndGoes) {
  start_managed();
  ASSERT_TRUE(wait_for_log("runtime.ready"));
  const auto descriptors = [] {
    const std::filesystem::directory_iterator all("/proc/self/fd");
    return std::distance(begin(all), end(all));
  };
  const auto round = [this] {
    EXPECT_TRUE(runtime_->management().test_runs.test_alias("a", kPatience)->ok);
    EXPECT_TRUE(change(Verb::create, "m", trigger_json("\"y\""), Kind::trigger));
    // Where a trigger has had a session, whoever ends that at the server is kept until the next
    // change. So each round leaves one, the first and the last alike.
    EXPECT_TRUE(eventually([&] { return runtime_->management().status.trigger("m")->running; }));
    EXPECT_TRUE(change(Verb::remove, "m", "", Kind::trigger));
  };
  round();
  const std::size_t clients = mqtt::paho_handles::alive() - mqtt::paho_handles::resting();
  const auto open = descriptors();
  for (int i = 0; i < 50; ++i) round();
  // A handle rests for a moment; whoever makes the next client tidies up.
  EXPECT_TRUE(eventually([&] {
    mqtt::paho_handles::tidy();
    return mqtt::paho_handles::alive() <= clients;
  })) << mqtt::paho_handles::alive()
      << " handles, at first " << clients;
  EXPECT_TRUE(eventually([&] { return descriptors() <= open + 4; }))
      << descriptors() << " descriptors, at first " << open;
}

// Both have the trigger's name, and the one that serves it has a thread that goes on.
TEST_F(ManagedTest, ATriedServiceIsNotChargedWithTheThreadsOfTheOneThatServes) {
  const std::string forward =
      "[[triggers]]\nname = \"f\"\nalias = \"a\"\ntopics = [\"f\"]\nservice = \"http-forward\"\n"
      "[triggers.settings]\nurl = \"http://127.0.0.1:1/\"\n";
  start_managed("manage = true\n" + forward);
  ASSERT_TRUE(wait_for_log("runtime.ready"));
  for (int i = 0; i < 2; ++i) {
    const auto tried = runtime_->management().test_runs.test_trigger(
        "f", {.topic = "f", .payload = "x"}, kPatience);
    ASSERT_TRUE(tried) << tried.error().message;
    EXPECT_EQ(tried->verdict, "unavailable");
  }
  // What is posted before it has ended by then.
  ASSERT_TRUE(runtime_->stop());
  runtime_.reset();
  EXPECT_EQ(log_.last("plugin.threads_left"), "");
  EXPECT_EQ(log_.last("plugin.abandoned"), "");
}

TEST_F(ManagedTest, StatusCountsAndEventsTell) {
  start_managed();
  ASSERT_TRUE(wait_for_log("runtime.ready"));
  const auto listener = runtime_->management().events.subscribe(
      {.states = false, .messages = true, .trigger = ""}, 10);
  ASSERT_TRUE(runtime_->management().test_runs.publish(
      {.alias = "a", .topic = "x", .payload = "hello"}, kPatience));
  const auto event = listener->next(std::chrono::steady_clock::now() + kPatience);
  ASSERT_TRUE(event);
  EXPECT_EQ(event->verdict, "ok");
  EXPECT_EQ(event->payload, "hello");
  const auto status = runtime_->management().status.trigger("t");
  ASSERT_TRUE(status);
  EXPECT_EQ(status->counters.received_qos[1], 1U);
  EXPECT_EQ(status->counters.ok, 1U);
  EXPECT_EQ(status->handle.count, 1U);
  EXPECT_EQ(status->delivery.count, 1U);
  EXPECT_LE(status->handle.sum, status->delivery.sum);
  EXPECT_EQ(runtime_->management().status.alias("a")->published_ok, 1U);
  EXPECT_TRUE(runtime_->management().status.runtime().ready);
  EXPECT_TRUE(runtime_->management().status.runtime().healthy);
  EXPECT_EQ(runtime_->management().status.plugins().at(0).name, "recorder");
  const auto matched = runtime_->management().status.match("y");
  ASSERT_EQ(matched.size(), 1U);
  EXPECT_FALSE(matched[0].gets_it);
  EXPECT_NE(matched[0].because.find("no filter matches"), std::string::npos);
}

}  // namespace
}  // namespace triggerd::test
