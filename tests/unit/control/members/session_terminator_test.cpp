#include "control/members/session_terminator.hpp"

#include <gtest/gtest.h>

#include "unit/control/fixture.hpp"

namespace triggerd::control::test {
namespace {

class SessionTerminatorTest : public Parts {
 protected:
  void SetUp() override {
    Parts::SetUp();
    config::Config before;
    before.aliases = {alias_named("a")};
    before.triggers = {trigger_named("t", "a")};
    before_ = shared(before);
    config::Config now = before;
    now.triggers.clear();
    run(shared(now));
    ASSERT_TRUE(inbox_->sessions().remember("id-a.t", {"t"}));
    ASSERT_TRUE(inbox_->sessions().place({"id-a.t", "a", "tcp://one:1883"}));
    resolver_.addresses = {{"one", {"10.0.0.1"}}};
    terminator_.emplace(terminator_needs());
  }
  void TearDown() override {
    terminator_.reset();
    Parts::TearDown();
  }
  void end_unwanted() {
    terminator_->end_unwanted(before_.get(), certificates_.stores());
    supervisor_->run_due();
  }

  ConfigPtr before_;
  std::optional<SessionTerminator> terminator_;
};

TEST_F(SessionTerminatorTest, ItConnectsWithACleanSessionAndForgetsTheOneThatEnded) {
  end_unwanted();
  ASSERT_EQ(made_.size(), 1U);
  EXPECT_EQ(made_[0].client_id, "id-a.t");
  EXPECT_TRUE(made_[0].clean_session);
  EXPECT_TRUE(made_[0].topics.empty());
  EXPECT_TRUE(log_.lines("session.ended").empty()) << "its server has not answered yet";
  connected();
  EXPECT_EQ(log_.lines("session.ended").size(), 1U);
  EXPECT_EQ(asked_.disconnects.size(), 1U);
  EXPECT_TRUE(inbox_->sessions().all()->empty());
}

TEST_F(SessionTerminatorTest, OneThatIsBeingEndedIsNotEndedTwice) {
  end_unwanted();
  end_unwanted();
  EXPECT_EQ(made_.size(), 1U);
}

TEST_F(SessionTerminatorTest, WhatIsLeftIsSaidOnce) {
  config::Config now;
  now.aliases = {alias_named("a", "two")};
  run(shared(now));
  before_ = registry_.config();
  end_unwanted();
  end_unwanted();
  EXPECT_TRUE(made_.empty());
  ASSERT_EQ(log_.lines("session.left").size(), 1U);
  EXPECT_EQ(log_.last("session.left"),
            "1 session of removed triggers remains at tcp://one:1883: id-a.t; alias \"a\" "
            "now names another server: clean up on the old one");
}

TEST_F(SessionTerminatorTest, WhatTheStopComesBeforeIsSaidAtTheStop) {
  end_unwanted();
  terminator_->report_unfinished();
  EXPECT_NE(log_.last("session.left").find("the next start tries again"), std::string::npos);
  EXPECT_EQ(inbox_->sessions().all()->size(), 1U);
}

TEST_F(SessionTerminatorTest, OneThatIsWantedAgainIsLeftAlone) {
  run(before_);
  end_unwanted();
  EXPECT_TRUE(made_.empty());
  EXPECT_EQ(inbox_->sessions().all()->size(), 1U);
}

}  // namespace
}  // namespace triggerd::control::test
