#include "control/members/session_memory.hpp"

#include <gtest/gtest.h>

#include "support/sqlite_connection.hpp"
#include "unit/control/fixture.hpp"

namespace triggerd::control::test {
namespace {

class SessionMemoryTest : public Parts {
 protected:
  void SetUp() override {
    Parts::SetUp();
    memory_.emplace(inbox_->sessions(), log_);
    options_.alias = "a";
    options_.client_id = "id";
    options_.servers = {{.host = "one"}, {.host = "two"}};
  }
  void break_inbox() {
    const triggerd::test::SqliteConnection other((dir_ / "inbox.db").string());
    ASSERT_EQ(other.run("DROP TABLE session"), 0);
  }

  mqtt::ConnectionOptions options_;
  std::optional<InboxSessions> memory_;
};

TEST_F(SessionMemoryTest, FiltersAreKeptUntilTheSessionIsForgotten) {
  EXPECT_FALSE(memory_->filters("id"));
  memory_->remember("id", {"x", "y"});
  EXPECT_EQ(memory_->filters("id"), (std::vector<std::string>{"x", "y"}));
  memory_->forget("id");
  EXPECT_FALSE(memory_->filters("id"));
  EXPECT_TRUE(log_.lines("inbox.error").empty());
}

TEST_F(SessionMemoryTest, WhereItIsIsNoted) {
  memory_->remember("id", {"x"});
  memory_->found_at(options_, "tcp://one:1883");
  ASSERT_EQ(inbox_->sessions().all()->size(), 1U);
  EXPECT_EQ(inbox_->sessions().all()->at(0).server, "tcp://one:1883");
  EXPECT_EQ(inbox_->sessions().all()->at(0).alias, "a");
}

TEST_F(SessionMemoryTest, OneThatIsAtAnotherServerNowMayHaveLeftOneBehind) {
  memory_->remember("id", {"x"});
  memory_->found_at(options_, "tcp://elsewhere:1883");
  memory_->found_at(options_, "tcp://one:1883");
  ASSERT_EQ(log_.lines("session.left").size(), 1U);
  EXPECT_NE(log_.last("session.left")
                .find("the session is at tcp://one:1883 now; if tcp://elsewhere:1883 is a "
                      "different server"),
            std::string::npos);
  memory_->found_at(options_, "tcp://one:1883");
  memory_->found_at(options_, "tcp://two:1883");
  EXPECT_EQ(log_.lines("session.left").size(), 1U) << "servers of one alias share their sessions";
}

TEST_F(SessionMemoryTest, AnInboxThatFailsIsLoggedAndTheConnectionGoesOn) {
  break_inbox();
  EXPECT_FALSE(memory_->filters("id"));
  memory_->remember("id", {"x"});
  memory_->found_at(options_, "tcp://one:1883");
  memory_->forget("id");
  EXPECT_EQ(log_.lines("inbox.error").size(), 4U);
}

}  // namespace
}  // namespace triggerd::control::test
