#include "control/members/session_terminator.hpp"

#include <gtest/gtest.h>

#include "support/sqlite_connection.hpp"
#include "unit/control/services/services_fixture.hpp"

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

TEST_F(SessionTerminatorTest, OfManyThatAreLeftFiveAreNamed) {
  config::Config now;
  now.aliases = {alias_named("a", "two")};
  run(shared(now));
  before_ = registry_.config();
  for (int i = 1; i <= 6; ++i) {
    const std::string client_id = "id-a.u" + std::to_string(i);
    ASSERT_TRUE(inbox_->sessions().remember(client_id, {"u"}));
    ASSERT_TRUE(inbox_->sessions().place({client_id, "a", "tcp://one:1883"}));
  }
  end_unwanted();
  EXPECT_TRUE(log_.last("session.left")
                  .starts_with("7 sessions of removed triggers remain at tcp://one:1883: "
                               "id-a.t, id-a.u1, id-a.u2, id-a.u3, id-a.u4 and 2 more; "))
      << log_.last("session.left");
}

TEST_F(SessionTerminatorTest, OneWhoseAliasIsGoneByTheStopIsEndedByHand) {
  end_unwanted();
  run(shared({}));
  terminator_->report_unfinished();
  EXPECT_TRUE(log_.last("session.left").ends_with("and the alias is gone: clean up on the server"))
      << log_.last("session.left");
}

TEST_F(SessionTerminatorTest, OneThatNoClientCanBeMadeForIsLeft) {
  make_client_ = [](mqtt::ClientEvents&) -> Result<std::unique_ptr<mqtt::Client>> {
    return fail("the library has no more clients");
  };
  end_unwanted();
  EXPECT_TRUE(log_.last("session.left").ends_with("id-a.t; the library has no more clients"))
      << log_.last("session.left");
  EXPECT_EQ(inbox_->sessions().all()->size(), 1U);
}

TEST_F(SessionTerminatorTest, OneOnTlsCannotBeEndedWithoutItsCertificates) {
  config::Config before = *before_;
  before.aliases[0].servers[0].scheme = config::Server::Scheme::ssl;
  before_ = shared(before);
  before.triggers.clear();
  run(shared(before));
  ASSERT_TRUE(inbox_->sessions().place({"id-a.t", "a", "ssl://one:1883"}));
  end_unwanted();
  EXPECT_TRUE(made_.empty());
  EXPECT_TRUE(log_.last("session.left")
                  .ends_with("the certificates for it are gone: clean up on the server"))
      << log_.last("session.left");
}

TEST_F(SessionTerminatorTest, WhereTheInboxDoesNotSayWhichThereAreNoneIsEnded) {
  for (const char* table : {"client_id", "session"}) {
    config::Config now = *registry_.config();
    now.aliases[0].client_id.clear();  // one is kept for it
    run(shared(now));
    const triggerd::test::SqliteConnection other((dir_ / "inbox.db").string());
    ASSERT_EQ(other.run(std::string("DROP TABLE ") + table), 0);
    const std::size_t lines = log_.lines("inbox.error").size();
    end_unwanted();
    ASSERT_EQ(log_.lines("inbox.error").size(), lines + 1) << table;
    EXPECT_TRUE(log_.last("inbox.error")
                    .starts_with("cannot tell which sessions are no longer wanted, so none is "
                                 "ended: "));
  }
  EXPECT_TRUE(made_.empty());
}

// The server does not answer, so the end of the session is under way for as long as it is let.
class KeptSessionTest : public ManagedRuntime {
 protected:
  void SetUp() override {
    ManagedRuntime::SetUp();
    start("[aliases.a]\nhost = \"tcp://one:1883\"\nclient_id = \"id-a\"\n");
    ASSERT_TRUE(inbox_->sessions().remember("id-a.t", {"t"}));
    ASSERT_TRUE(inbox_->sessions().place({"id-a.t", "a", "tcp://one:1883"}));
    server_.is_silent = true;
    sessions_->end_unwanted(nullptr, certificates_.stores());
    supervisor_->run_due();
    turn_loops();
  }
};

TEST_F(KeptSessionTest, OneThatIsToBeUsedAgainIsNotEnded) {
  ASSERT_EQ(made_.size(), 2U) << "of the alias, and to end the session";
  EXPECT_EQ(made_[1].client_id, "id-a.t");
  sessions_->keep("another");
  sessions_->keep("id-a.t");
  EXPECT_EQ(inbox_->sessions().all()->size(), 1U);
  sessions_->report_unfinished();
  EXPECT_TRUE(log_.lines("session.left").empty()) << "nobody is ending it any more";
}

}  // namespace
}  // namespace triggerd::control::test
