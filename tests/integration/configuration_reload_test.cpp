// SIGHUP: another configuration takes over in the real runtime, on a real server, and what is the
// same in it does not notice.
#include <gtest/gtest.h>
#include <signal.h>

#include "integration/recorded.hpp"
#include "support/mosquitto.hpp"
#include "support/mqtt_client.hpp"

namespace triggerd::test {
namespace {

class ConfigurationReloadTest : public testing::Test {
 protected:
  std::filesystem::path file(const std::string& name) const { return records_ / name; }
  std::string trigger(const std::string& name, const std::string& topic,
                      const std::string& more = {}) const {
    return trigger_table(name, "a", fmt::format("\"{}\"", topic), file(name), more);
  }
  std::string base() const { return runtime_table() + alias_table("a", server_.port()); }
  void start(const std::string& toml) {
    runtime_ = std::make_unique<TriggerdProcess>(toml);
    runtime_->start();
    ASSERT_TRUE(runtime_->wait_for_event("runtime.ready", {}, 0, kPatience * 2))
        << runtime_->output();
  }
  // Whether the log says so.
  bool reload(const std::string& toml, std::string_view event = "runtime.reloaded") {
    const std::size_t from = runtime_->process().line_count();
    runtime_->write_config(toml);
    runtime_->process().signal(SIGHUP);
    return runtime_->wait_for_event(event, {}, from).has_value();
  }
  void expect_stopped() { EXPECT_EQ(runtime_->stop(), Exit{}) << runtime_->output(); }

  TempDir records_;
  MosquittoServer server_;
  std::unique_ptr<TriggerdProcess> runtime_;
};

TEST_F(ConfigurationReloadTest, OneOfFiftyTriggersChangesAndTheStreamsOfTheOthersHaveNoGap) {
  constexpr int kTriggers = 50;
  constexpr int kMessages = 40;
  const auto toml = [&](const std::string& changed) {
    std::string text = base();
    for (int i = 0; i < kTriggers; ++i) {
      text += trigger(fmt::format("t{}", i), fmt::format("s/{}", i), i == 7 ? changed : "");
    }
    return text;
  };
  start(toml(""));
  TestClient client(server_.port());
  const auto publish = [&](int from, int to) {
    for (int n = from; n < to; ++n) {
      for (int i = 0; i < kTriggers; ++i) {
        client.publish_later(fmt::format("s/{}", i), fmt::format("{}", n), 1);
      }
    }
  };
  publish(0, kMessages / 2);
  runtime_->write_config(toml("queue_capacity = 7"));
  runtime_->process().signal(SIGHUP);
  publish(kMessages / 2, kMessages);
  ASSERT_TRUE(client.wait_published());
  ASSERT_TRUE(runtime_->wait_for_event("runtime.reloaded", {"0 added, 0 removed, 1 changed"}))
      << runtime_->output();
  for (int i = 0; i < kTriggers; ++i) {
    const std::string name = fmt::format("t{}", i);
    ASSERT_TRUE(wait_for_records(file(name), kMessages)) << name;
    const auto handled = records(file(name), "end");
    EXPECT_TRUE(eventually([&] {
      return server_.connects("client-a." + name) == (i == 7 ? 2U : 1U);
    })) << name;
    if (i == 7) continue;  // it may get a message twice
    ASSERT_EQ(handled.size(), static_cast<std::size_t>(kMessages)) << name;
    for (int n = 0; n < kMessages; ++n) {
      ASSERT_EQ(handled[static_cast<std::size_t>(n)].hash, fnv1a(fmt::format("{}", n))) << name;
    }
  }
  EXPECT_EQ(server_.connects("client-a"), 1U);
  expect_stopped();
}

TEST_F(ConfigurationReloadTest, AFileThatIsNotValidChangesNothingAndSaysWhy) {
  start(base() + trigger("t", "x"));
  TestClient client(server_.port());
  ASSERT_TRUE(reload(base() + trigger("t", "x/#/y") + "[[triggers]]\nnome = \"u\"\n",
                     "runtime.reload_refused"));
  EXPECT_TRUE(runtime_->wait_for_event("runtime.reload_refused", {"triggers.toml:", "x/#/y"}));
  EXPECT_TRUE(runtime_->wait_for_event("runtime.reload_refused", {"did you mean \"name\""}));
  // A plugin that is not there is found before anything is touched, too.
  ASSERT_TRUE(reload(base() + trigger("t", "y", "service = \"nobody\""), "runtime.reload_refused"));
  EXPECT_TRUE(runtime_->wait_for_event("runtime.reload_refused", {"nobody.so"}));
  ASSERT_TRUE(client.publish("x", "still", 1));
  ASSERT_TRUE(wait_for_records(file("t"), 1));
  EXPECT_EQ(server_.connects("client-a.t"), 1U);
  expect_stopped();
}

TEST_F(ConfigurationReloadTest, TriggersComeGoAndAreRenamed) {
  start(base() + trigger("stays", "x") + trigger("goes", "x") + trigger("old", "x"));
  TestClient client(server_.port());
  ASSERT_TRUE(reload(base() + trigger("stays", "x") + trigger("comes", "x") + trigger("new", "x")));
  ASSERT_TRUE(runtime_->wait_for_event("runtime.reloaded", {"2 added, 2 removed, 0 changed"}));
  for (const char* gone : {"client_id=client-a.goes", "client_id=client-a.old"}) {
    EXPECT_TRUE(runtime_->wait_for_event("session.ended", {gone})) << runtime_->output();
  }
  for (const char* name : {"trigger=comes", "trigger=new"}) {
    ASSERT_TRUE(runtime_->wait_for_event("trigger.running", {name})) << runtime_->output();
  }
  ASSERT_TRUE(client.publish("x", "one", 1));
  for (const char* name : {"stays", "comes", "new"}) {
    EXPECT_TRUE(wait_for_records(file(name), 1)) << name;
  }
  EXPECT_TRUE(records(file("goes")).empty());
  EXPECT_EQ(server_.connects("client-a.stays"), 1U);

  // It comes back, with other filters: what its session still has is unsubscribed.
  const std::size_t from = runtime_->process().line_count();
  ASSERT_TRUE(reload(base() + trigger("stays", "z") + trigger("goes", "y")));
  ASSERT_TRUE(runtime_->wait_for_event("trigger.running", {"trigger=goes"}, from));
  ASSERT_TRUE(runtime_->wait_for_event("trigger.running", {"trigger=stays"}, from));
  EXPECT_EQ(server_.connects("client-a.stays"), 2U);
  ASSERT_TRUE(client.publish("x", "two", 1));
  ASSERT_TRUE(client.publish("y", "three", 1));
  ASSERT_TRUE(client.publish("z", "four", 1));
  ASSERT_TRUE(wait_for_records(file("goes"), 1));
  ASSERT_TRUE(wait_for_records(file("stays"), 2));
  EXPECT_EQ(records(file("stays"), "end").back().hash, fnv1a("four"));
  expect_stopped();
}

TEST_F(ConfigurationReloadTest, WhatNeedsARestartIsSaidAndTheRestIsApplied) {
  start(base() + trigger("t", "x"));
  ASSERT_TRUE(
      reload(base() + "[inbox]\nsync = \"process\"\n" + trigger("t", "x") + trigger("u", "x")));
  EXPECT_TRUE(runtime_->wait_for_event("runtime.reload", {"[inbox] sync", "only after a restart"}));
  EXPECT_TRUE(runtime_->wait_for_event("trigger.running", {"trigger=u"}));
  expect_stopped();
}

TEST_F(ConfigurationReloadTest, WithHotReloadAChangedFileIsTakenByItself) {
  const std::string hot = runtime_table("hot_reload = true") + alias_table("a", server_.port());
  start(hot + trigger("t", "x"));
  runtime_->write_config(hot + trigger("t", "x") + trigger("u", "x"));
  EXPECT_TRUE(runtime_->wait_for_event("trigger.running", {"trigger=u"})) << runtime_->output();
  expect_stopped();
}

TEST_F(ConfigurationReloadTest, OneOfAThousandTriggersIsChangedInAMoment) {
  const auto toml = [&](const std::string& changed) {
    std::string text = base();
    for (int i = 0; i < 1'000; ++i) {
      text += trigger(fmt::format("t{}", i), fmt::format("s/{}", i), i == 500 ? changed : "");
    }
    return text;
  };
  start(toml(""));
  ASSERT_TRUE(reload(toml("queue_capacity = 7"))) << "within what a test waits for";
  EXPECT_TRUE(runtime_->wait_for_event("runtime.reloaded", {"1 changed, 1000 unchanged"}))
      << "999 triggers and an alias";
  ASSERT_TRUE(eventually([&] { return server_.connects("client-a.t500") == 2; }));
  EXPECT_EQ(server_.connects("client-a.t0"), 1U);
  EXPECT_EQ(server_.connects("client-a.t999"), 1U);
  runtime_->kill();  // a thousand goodbyes are another test's
}

}  // namespace
}  // namespace triggerd::test
