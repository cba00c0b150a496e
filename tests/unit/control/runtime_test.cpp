#include "control/runtime.hpp"

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <variant>
#include <vector>

#include "support/capture_log.hpp"
#include "support/temp_dir.hpp"

namespace triggerd::control {
namespace {

// A runtime that connects to nobody: what it says of what it finds when it is made.
class RuntimeTest : public testing::Test {
 protected:
  Runtime& runtime() {
    if (!runtime_) runtime_ = std::make_unique<Runtime>(config_, dir_.path(), log_);
    return *runtime_;
  }
  void add_trigger() {
    config_.aliases.emplace_back().name = "a";
    config_.aliases[0].client_id = "id-a";
    config_.aliases[0].servers = {{.host = "localhost"}};
    config::Trigger& trigger = config_.triggers.emplace_back();
    trigger.name = "t";
    trigger.alias = "a";
    trigger.topics = {{"x"}};
    trigger.plugin = "nothing";
    trigger.service_place = {"triggers.toml", 7, 1};
  }

  triggerd::test::TempDir dir_;
  // Kept to the end of the process: the MQTT library's threads may still have something to say.
  static triggerd::test::CaptureLog& new_log() {
    static auto* const kept = new std::vector<std::unique_ptr<triggerd::test::CaptureLog>>;
    return *kept->emplace_back(std::make_unique<triggerd::test::CaptureLog>());
  }
  triggerd::test::CaptureLog& log_ = new_log();
  config::Config config_;
  std::unique_ptr<Runtime> runtime_;
};

TEST_F(RuntimeTest, MessagesOfATriggerThatIsNotConfiguredStayAndAreNamed) {
  {
    auto inbox = inbox::Inbox::open(dir_ / "inbox.db").value();
    inbox::DeadLetter dead_letter;
    dead_letter.trigger = "gone";
    dead_letter.topic = "x";
    ASSERT_TRUE(inbox->dead_letters().replay(inbox->dead_letters().add(dead_letter).value()));
  }
  ASSERT_TRUE(runtime().prepare());
  ASSERT_TRUE(runtime().start());
  EXPECT_EQ(log_.last("inbox.orphaned"),
            "the inbox has 1 message for a trigger that is not configured, and keeps it until the "
            "trigger is");
  EXPECT_TRUE(runtime().stop());
  EXPECT_EQ(runtime().inbox().messages().counts()->size(), 1U);
  EXPECT_EQ(log_.last("runtime.stopped"), "0 messages received, 0 handled");
}

TEST_F(RuntimeTest, ADamagedInboxIsKeptAsideAndANewOneBegins) {
  dir_.write("inbox.db", std::string(10'000, 'x'));
  ASSERT_TRUE(runtime().prepare());
  ASSERT_EQ(log_.lines("inbox.damaged").size(), 1U);
  EXPECT_TRUE(log_.last("inbox.damaged").ends_with(", and the inbox begins empty"));
  EXPECT_TRUE(runtime().inbox().messages().counts()->empty());
}

TEST_F(RuntimeTest, WhatAFileSaysWrongIsSaidWithItsPlace) {
  add_trigger();
  const auto prepared = runtime().prepare();
  ASSERT_FALSE(prepared);
  const auto* wrong = std::get_if<Diagnostics>(&prepared.error());
  ASSERT_NE(wrong, nullptr);
  ASSERT_EQ(wrong->size(), 1U);
  EXPECT_EQ(wrong->at(0).place.line, 7U);
  EXPECT_TRUE(wrong->at(0).message.starts_with("trigger \"t\": no plugin \"nothing\""));
}

TEST_F(RuntimeTest, OneThatIsToStopWhileItIsMadeMakesNoMoreTriggers) {
  add_trigger();
  runtime().hurry();
  const auto prepared = runtime().prepare();
  ASSERT_FALSE(prepared);
  const auto* error = std::get_if<Error>(&prepared.error());
  ASSERT_NE(error, nullptr);
  EXPECT_EQ(error->message, "the runtime is stopping");
}

}  // namespace
}  // namespace triggerd::control
