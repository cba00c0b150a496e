// What a trigger asks of the content of its messages, in the real runtime and on a real server: in
// the runtime's process, and in one of the service's own.
#include <gtest/gtest.h>
#include <signal.h>

#include <set>

#include "integration/recorded.hpp"
#include "support/mosquitto.hpp"
#include "support/mqtt_client.hpp"
#include "unit/admin/http_client.hpp"

namespace triggerd::test {
namespace {

class ContentTest : public testing::TestWithParam<const char*> {
 protected:
  // A trigger on "in/#" that republishes to "out/..." what its service gets.
  std::string config(const std::string& content, const std::string& runtime = {}) const {
    return runtime_table(runtime) + "[admin]\nlisten = \"127.0.0.1:0\"\n" +
           alias_table("a", server_.port()) +
           fmt::format(
               "[[triggers]]\nname = \"t\"\nalias = \"a\"\ntopics = [\"in/#\"]\n"
               "service = \"republish\"\nisolation = \"{}\"\n{}\n"
               "[triggers.settings]\ntopic = \"out/{{topic:2}}\"\n",
               GetParam(), content);
  }
  void start(const std::string& toml) {
    triggerd_.emplace(toml);
    triggerd_->start();
    ASSERT_TRUE(triggerd_->wait_until_running()) << triggerd_->output();
    client_.emplace(server_.port());
    ASSERT_EQ(client_->subscribe("out/#"), 1);
  }
  void publish(const std::string& topic, const std::string& payload) {
    ASSERT_TRUE(client_->publish(topic, payload));
  }
  // The payloads of the first `count` messages to "out/...".
  std::vector<std::string> out(std::size_t count) {
    EXPECT_TRUE(client_->wait_for_count(count)) << triggerd_->output();
    std::vector<std::string> payloads;
    for (const Message& message : client_->messages()) payloads.push_back(message.payload);
    return payloads;
  }
  double handled(const std::string& verdict) {
    const std::string sample =
        fmt::format("\ntriggerd_messages_handled_total{{trigger=\"t\",verdict=\"{}\"}} ", verdict);
    const std::string text =
        HttpClient(triggerd_->admin_port().value()).ask("GET", "/metrics").body;
    const std::size_t at = text.find(sample);
    return at == std::string::npos ? -1 : std::stod(text.substr(at + sample.size()));
  }
  bool wait_for_dead_letter(const std::string& reason) {
    return triggerd_->wait_for_event("message.dead_letter", {reason}).has_value();
  }
  void TearDown() override {
    if (HasFailure() && triggerd_) ADD_FAILURE() << triggerd_->output();
  }
  using Texts = std::vector<std::string>;

  TempDir dir_;
  MosquittoServer server_;
  std::optional<TriggerdProcess> triggerd_;
  std::optional<TestClient> client_;
};

TEST_P(ContentTest, TheServiceGetsWhatIsWantedAsTheProgramMakesIt) {
  start(
      config("when = '.temperature > 80'\n"
             "transform = '{id: $levels[1], celsius: .temperature, n: .n}'\n"));
  publish("in/a", R"({"temperature":21.5})");
  publish("in/b", R"({"temperature":81.5,"n":12345678901234567890})");
  publish("in/c", "ON");
  publish("in/d", R"({"temperature":90})");
  EXPECT_EQ(out(2), (Texts{R"({"id":"b","celsius":81.5,"n":12345678901234567890})",
                           R"({"id":"d","celsius":90,"n":null})"}));
  EXPECT_TRUE(wait_for_dead_letter("payload: no JSON at byte 1"));
  EXPECT_TRUE(eventually([&] { return handled("ok") == 2; }));
  EXPECT_EQ(handled("filtered"), 1);
  EXPECT_EQ(handled("reject"), 1);
  EXPECT_EQ(triggerd_->stop(), (Exit{0, 0}));
}

TEST_P(ContentTest, WhatCannotBeEvaluatedPassesWhereThatIsWanted) {
  start(config("transform = '.state'\non_error = \"pass\"\n"));
  publish("in/a", "ON");
  publish("in/a", R"({"state":"OFF"})");
  EXPECT_EQ(out(2), (Texts{"ON", "OFF"}));
}

TEST_P(ContentTest, PartsReachTheServiceInTheirOrderAndEndAsOneMessage) {
  start(config("transform = '.metrics[]'\nsplit = true\n"));
  publish("in/a", R"({"metrics":[1,{"two":2},"three"]})");
  publish("in/a", R"({"metrics":[]})");
  publish("in/a", R"({"metrics":[4]})");
  EXPECT_EQ(out(4), (Texts{"1", R"({"two":2})", "three", "4"}));
  EXPECT_TRUE(eventually([&] { return handled("ok") == 2 && handled("filtered") == 1; }));
}

TEST_P(ContentTest, ARunawayProgramCostsItsMessageAndNothingElse) {
  start(
      config("transform = 'if .loop then (def f: f; f) else .n end'\n"
             "evaluation = { timeout = \"50ms\" }\n"));
  for (const char* payload : {R"({"n":1})", R"({"loop":true})", R"({"n":2})"}) {
    publish("in/a", payload);
  }
  EXPECT_EQ(out(2), (Texts{"1", "2"}));
  EXPECT_TRUE(wait_for_dead_letter("transform: it took longer than 50ms of processor time"));
}

TEST_P(ContentTest, AReloadChangesTheProgramAndRefusesOneThatIsNone) {
  start(config("when = '. < 10'\n"));
  publish("in/a", "5");
  ASSERT_EQ(out(1), Texts{"5"});
  std::size_t from = triggerd_->process().line_count();
  triggerd_->write_config(config("when = '. >'\n"));
  triggerd_->process().signal(SIGHUP);
  ASSERT_TRUE(triggerd_->wait_for_event("runtime.reload_refused",
                                        {"when is no program in jq: line 1: syntax error"}, from));
  publish("in/a", "6");
  ASSERT_EQ(out(2), (Texts{"5", "6"}));
  from = triggerd_->process().line_count();
  triggerd_->write_config(config("when = '. > 10'\n"));
  triggerd_->process().signal(SIGHUP);
  ASSERT_TRUE(triggerd_->wait_for_event("runtime.reloaded", {"1 changed"}, from));
  ASSERT_TRUE(triggerd_->wait_for_event("trigger.running", {}, from));
  publish("in/a", "7");
  publish("in/a", "70");
  EXPECT_EQ(out(3), (Texts{"5", "6", "70"}));
}

TEST_P(ContentTest, ASchemaRejectsWithThePlaceAndIsReadAgainWhenItChanges) {
  const auto write = [this](const std::string& schema) {
    const std::filesystem::path file = dir_ / "reading.json";
    std::ofstream(file.string() + ".new") << schema;
    std::filesystem::rename(file.string() + ".new", file);
  };
  write(R"({"properties":{"celsius":{"type":"number","maximum":100}}})");
  start(config(fmt::format("schema = \"{}\"\n", (dir_ / "reading.json").string()),
               "hot_reload = true\n"));
  publish("in/a", R"({"celsius":50})");
  ASSERT_EQ(out(1), Texts{R"({"celsius":50})"});
  publish("in/a", R"({"celsius":150})");
  EXPECT_TRUE(wait_for_dead_letter("schema: /celsius: "));
  const std::size_t from = triggerd_->process().line_count();
  write(R"({"properties":{"celsius":{"type":"number","maximum":200}}})");
  ASSERT_TRUE(triggerd_->wait_for_event("runtime.reloaded", {"1 changed"}, from));
  ASSERT_TRUE(triggerd_->wait_for_event("trigger.running", {}, from));
  publish("in/a", R"({"celsius":150})");
  EXPECT_EQ(out(2).back(), R"({"celsius":150})");
}

TEST_P(ContentTest, AKillBetweenPartsLosesNone) {
  start(runtime_table() + alias_table("a", server_.port()) +
        trigger_table("t", "a", "\"in/#\"", dir_ / "records",
                      fmt::format("isolation = \"{}\"\n"
                                  "transform = '.[]'\nsplit = true\n",
                                  GetParam()),
                      waiting_until(dir_ / "flag")));
  publish("in/a", R"(["one","two","wait","four"])");
  ASSERT_TRUE(wait_for_calls(dir_ / "records", 3));
  triggerd_->kill();
  EXPECT_EQ(records(dir_ / "records", "end").size(), 2U);
  std::ofstream(dir_ / "flag") << "go on";
  triggerd_->start();
  std::set<std::string> hashes;
  EXPECT_TRUE(eventually([&] {
    for (const Record& record : records(dir_ / "records", "end")) hashes.insert(record.hash);
    return hashes.size() == 4;
  })) << hashes.size();
}

INSTANTIATE_TEST_SUITE_P(Isolation, ContentTest, testing::Values("none", "process"),
                         [](const auto& one) { return std::string(one.param); });

// ---- Programs that end their process ----

// Freeing what is nested so deeply overflows libjq's stack.
constexpr const char* kDeadly =
    "transform = 'reduce range(.n) as $i (null; [.]) | length'\nevaluation = { timeout = \"30s\" "
    "}\n"
    "retry = { max_attempts = 2, interval = \"10ms\" }\n";

class ContentCrashTest : public testing::Test {
 protected:
  std::string config(const std::string& isolation) const {
    return runtime_table() + alias_table("a", server_.port()) +
           trigger_table("t", "a", "\"in/#\"", dir_ / "records", isolation + kDeadly);
  }
  void start(const std::string& toml) {
    triggerd_.emplace(toml);
    triggerd_->start();
    ASSERT_TRUE(triggerd_->wait_until_running()) << triggerd_->output();
  }
  void publish(const std::string& payload) {
    TestClient client(server_.port());
    ASSERT_TRUE(client.publish("in/a", payload));
  }
  void TearDown() override {
    if (HasFailure() && triggerd_) ADD_FAILURE() << triggerd_->output();
  }

  MosquittoServer server_;
  TempDir dir_;
  std::optional<TriggerdProcess> triggerd_;
};

TEST_F(ContentCrashTest, CostsAnAttemptInTheProcessThatSuchATriggerHasByItself) {
  start(config(""));
  publish(R"({"n":1000000})");
  EXPECT_TRUE(triggerd_->wait_for_event("message.dead_letter", {"out of attempts (2)"}));
  publish(R"({"n":3})");
  EXPECT_TRUE(wait_for_records(dir_ / "records", 1));
  EXPECT_EQ(triggerd_->stop(), (Exit{0, 0}));
}

TEST_F(ContentCrashTest, IsTheMessagesFaultWhereItEndsTheRuntime) {
  start(config("isolation = \"none\"\n"));
  publish(R"({"n":1000000})");
  for (int death = 1; death <= 2; ++death) {
    const auto exit = triggerd_->process().wait();  // a sanitizer has an end of its own
    EXPECT_TRUE(exit && *exit != Exit{});
    EXPECT_TRUE(triggerd_->wait_for_event(
        "runtime.crashed",
        {"SIGSEGV in evaluate of recorder:record ends the runtime", "trigger=t"}));
    triggerd_->start();
  }
  EXPECT_TRUE(triggerd_->wait_for_event("message.dead_letter", {"ended the runtime 2 times"}));
  publish(R"({"n":3})");
  EXPECT_TRUE(wait_for_records(dir_ / "records", 1));
  EXPECT_EQ(triggerd_->stop(), (Exit{0, 0}));
}

// ---- Memory ----

TEST(ContentMemoryTest, AProgramThatUsesUpItsMemoryEndsItsProcessAndCostsAnAttempt) {
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
  GTEST_SKIP() << "a sanitizer needs more memory than any limit allows";
#endif
  MosquittoServer server;
  const TempDir dir;
  TriggerdProcess triggerd(
      runtime_table() + alias_table("a", server.port()) +
      trigger_table("t", "a", "\"in/#\"", dir / "records",
                    "isolation = \"process\"\nisolation_memory = \"128MiB\"\n"
                    "transform = '[range(.n)] | length'\nevaluation = { timeout = \"30s\" }\n"
                    "retry = { max_attempts = 2, interval = \"10ms\" }\n"));
  triggerd.start();
  ASSERT_TRUE(triggerd.wait_until_running()) << triggerd.output();
  TestClient client(server.port());
  ASSERT_TRUE(client.publish("in/a", R"({"n":1000000000})"));
  EXPECT_TRUE(triggerd.wait_for_event("message.dead_letter", {"out of attempts (2)"}))
      << triggerd.output();
  ASSERT_TRUE(client.publish("in/a", R"({"n":3})"));
  EXPECT_TRUE(wait_for_records(dir / "records", 1)) << triggerd.output();
  EXPECT_EQ(triggerd.stop(), (Exit{0, 0}));
}

}  // namespace
}  // namespace triggerd::test
