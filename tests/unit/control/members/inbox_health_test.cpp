#include "control/members/inbox_health.hpp"

#include <gtest/gtest.h>

#include "unit/control/services/services_fixture.hpp"

namespace triggerd::control::test {
namespace {

class InboxHealthTest : public ManagedRuntime {
 protected:
  void SetUp() override {
    ManagedRuntime::SetUp();
    start(
        "[aliases.a]\nhost = \"tcp://one:1883\"\n[[triggers]]\nname = \"t\"\nalias = "
        "\"a\"\ntopics = [\"x\"]\nservice = \"nothing\"\n");
    trigger_ = run_trigger("t");
  }
  void TearDown() override {
    trigger_.reset();
    ManagedRuntime::TearDown();
  }
  std::string why_it_pauses() const {
    management::TriggerStatus shown;
    trigger_->fill_in(shown);
    return shown.paused ? shown.pause_reason : "";
  }

  TriggerPtr trigger_;
};

TEST_F(InboxHealthTest, TriggersPauseWhileTheInboxTakesNothing) {
  inbox_health_.begin();
  inbox_health_.note("the disk is full");
  EXPECT_EQ(log_.last("inbox.trouble"),
            "the disk is full; receiving is paused until the inbox can be written again");
  EXPECT_EQ(why_it_pauses(), "the inbox takes no messages: the disk is full");
  EXPECT_EQ(inbox_health_.trouble(), "the disk is full");
  EXPECT_EQ(readiness_.reasons().back(), "the inbox takes no messages: the disk is full");
  inbox_health_.note(std::nullopt);
  EXPECT_EQ(log_.last("inbox.recovered"), "the inbox can be written again");
  EXPECT_EQ(why_it_pauses(), "");
  EXPECT_FALSE(inbox_health_.trouble());
}

TEST_F(InboxHealthTest, WhatIsKnownBeforeTheyRunIsToldWhenTheyDo) {
  inbox_health_.note("the disk is full");
  EXPECT_EQ(why_it_pauses(), "");
  inbox_health_.begin();
  EXPECT_EQ(why_it_pauses(), "the inbox takes no messages: the disk is full");
}

TEST_F(InboxHealthTest, OneThatComesLaterIsToldToo) {
  inbox_health_.report_to(*trigger_);
  EXPECT_EQ(why_it_pauses(), "");
  inbox_health_.note("the disk is full");
  inbox_health_.report_to(*trigger_);
  EXPECT_EQ(why_it_pauses(), "the inbox takes no messages: the disk is full");
}

}  // namespace
}  // namespace triggerd::control::test
