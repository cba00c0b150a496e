#include "control/services/dead_letters.hpp"

#include <gtest/gtest.h>

#include "unit/control/services/services_fixture.hpp"

namespace triggerd::control::test {
namespace {

using Kind = management::AdminError::Kind;

class DeadLettersTest : public Parts {
 protected:
  void SetUp() override {
    Parts::SetUp();
    config::Config all;
    all.aliases = {alias_named("a")};
    all.triggers = {trigger_named("t", "a")};
    run(shared(all));
    dead_letters_.emplace(DeadLetters::Needs{
        .control = control_, .registry = registry_, .stored = inbox_->dead_letters(), .log = log_});
  }
  void add(const std::string& trigger, const std::string& payload = "p") {
    inbox::DeadLetter dead_letter;
    dead_letter.trigger = trigger;
    dead_letter.message_id = "m" + payload;
    dead_letter.topic = "x";
    dead_letter.payload = payload;
    ASSERT_TRUE(inbox_->dead_letters().add(dead_letter));
  }
  std::uint64_t left() { return dead_letters_->dead_letters({}, {}, 1, 0)->total; }

  std::optional<DeadLetters> dead_letters_;
};

TEST_F(DeadLettersTest, ComeByThePageNewestFirst) {
  for (const char* payload : {"one", "two", "three"}) add("t", payload);
  const auto first = dead_letters_->dead_letters({}, {}, 2, 2);
  ASSERT_TRUE(first);
  ASSERT_EQ(first->dead_letters.size(), 2U);
  EXPECT_EQ(first->total, 3U);
  EXPECT_EQ(first->dead_letters[0].payload, "th");
  EXPECT_EQ(first->dead_letters[0].payload_size, 5U);
  ASSERT_TRUE(first->next);
  const auto second = dead_letters_->dead_letters({}, first->next, 2, 100);
  ASSERT_EQ(second->dead_letters.size(), 1U);
  EXPECT_EQ(second->dead_letters[0].payload, "one");
  EXPECT_FALSE(second->next);
}

TEST_F(DeadLettersTest, OneOfATriggerThatIsNotConfiguredStaysOne) {
  add("gone");
  const auto number = dead_letters_->dead_letters({}, {}, 1, 0)->dead_letters[0].number;
  const auto replayed = dead_letters_->replay_dead_letter(number, "somebody");
  ASSERT_FALSE(replayed);
  EXPECT_EQ(replayed.error().kind, Kind::conflict);
  EXPECT_EQ(left(), 1U);
}

TEST_F(DeadLettersTest, OneOfATriggerThatDoesNotRunIsAMessageInTheInboxAgain) {
  add("t");
  const auto number = dead_letters_->dead_letters({}, {}, 1, 0)->dead_letters[0].number;
  ASSERT_TRUE(dead_letters_->replay_dead_letter(number, "somebody"));
  EXPECT_EQ(left(), 0U);
  EXPECT_EQ(inbox_->messages().counts()->size(), 1U);
  EXPECT_EQ(dead_letters_->replay_dead_letter(number, "somebody").error().kind, Kind::not_found);
  EXPECT_EQ(log_.lines("dead_letter.replayed").size(), 1U);
}

TEST_F(DeadLettersTest, ManyAreTakenUntilWhoeverAsksHasEnough) {
  for (const char* payload : {"one", "two", "three"}) add("t", payload);
  const auto done = dead_letters_->drop_dead_letters({}, "somebody",
                                                     [](std::uint64_t so_far, std::uint64_t total) {
                                                       EXPECT_EQ(total, 3U);
                                                       return so_far < 2;
                                                     });
  ASSERT_TRUE(done);
  EXPECT_EQ(done->done, 2U);
  EXPECT_EQ(left(), 1U);
  EXPECT_EQ(dead_letters_->dead_letters({}, {}, 1, 9)->dead_letters[0].payload, "three")
      << "the oldest go first";
  EXPECT_EQ(done->up_to, dead_letters_->dead_letters({}, {}, 1, 0)->dead_letters[0].number);
}

TEST_F(DeadLettersTest, ThoseThatCannotBeReplayedAreCounted) {
  add("t");
  add("gone");
  const auto done = dead_letters_->replay_dead_letters({}, "somebody", {});
  ASSERT_TRUE(done);
  EXPECT_EQ(done->done, 1U);
  EXPECT_EQ(done->failed, 1U);
  EXPECT_NE(done->last_failure.find("not configured"), std::string::npos);
}

TEST_F(DeadLettersTest, AnEditKeepsWhatItDoesNotName) {
  add("t", "before");
  const auto number = dead_letters_->dead_letters({}, {}, 1, 0)->dead_letters[0].number;
  ASSERT_TRUE(dead_letters_->edit_dead_letter(number, "y", std::nullopt, "somebody"));
  EXPECT_EQ(dead_letters_->dead_letter(number)->topic, "y");
  EXPECT_EQ(dead_letters_->dead_letter(number)->payload, "before");
  ASSERT_TRUE(dead_letters_->edit_dead_letter(number, std::nullopt, "after", "somebody"));
  EXPECT_EQ(dead_letters_->dead_letter(number)->topic, "y");
  EXPECT_EQ(dead_letters_->dead_letter(number)->payload, "after");
  const auto wrong = dead_letters_->edit_dead_letter(number, "y/#", std::nullopt, "somebody");
  ASSERT_FALSE(wrong);
  EXPECT_EQ(wrong.error().problems.at(0).key, "topic");
}

TEST_F(DeadLettersTest, OneThatIsNotThereIsNotFound) {
  const auto is_not_found = [](const auto& outcome) {
    return !outcome && outcome.error().kind == Kind::not_found &&
           outcome.error().message == "there is no dead letter 7";
  };
  EXPECT_TRUE(is_not_found(dead_letters_->dead_letter(7)));
  EXPECT_TRUE(is_not_found(dead_letters_->replay_dead_letter(7, "somebody")));
  EXPECT_TRUE(is_not_found(dead_letters_->edit_dead_letter(7, "y", "after", "somebody")));
  EXPECT_TRUE(is_not_found(dead_letters_->drop_dead_letter(7, "somebody")));
}

TEST_F(DeadLettersTest, WhereThereAreNoneNothingIsDone) {
  const auto done = dead_letters_->replay_dead_letters({}, "somebody", {});
  ASSERT_TRUE(done);
  EXPECT_EQ(done->done + done->failed, 0U);
  EXPECT_EQ(done->up_to, 0);
}

TEST_F(DeadLettersTest, WhatCameOverMqtt5IsShownWithItsUserProperties) {
  inbox::DeadLetter dead_letter;
  dead_letter.trigger = "t";
  dead_letter.topic = "x";
  // A content type, which is not shown, and a user property.
  dead_letter.properties = std::string("\x03\0\x01j", 4) + std::string(
                                                               "&\0\x04unit\0\x01"
                                                               "C",
                                                               10);
  ASSERT_TRUE(inbox_->dead_letters().add(dead_letter));
  const auto shown = dead_letters_->dead_letters({}, {}, 1, 0)->dead_letters.at(0);
  EXPECT_EQ(shown.user_properties,
            (std::vector<std::pair<std::string, std::string>>{{"unit", "C"}}));
}

TEST_F(DeadLettersTest, AFilterTakesThoseOfOneTriggerUpToOneNumber) {
  for (const char* trigger : {"t", "gone", "t", "t"}) add(trigger);
  const auto third = dead_letters_->dead_letters({.trigger = "t"}, {}, 2, 0)->dead_letters[1];
  const auto done = dead_letters_->drop_dead_letters(
      {.trigger = "t", .since = {}, .until = {}, .up_to = third.number}, "somebody", {});
  ASSERT_TRUE(done);
  EXPECT_EQ(done->done, 2U);
  EXPECT_EQ(done->up_to, third.number);
  EXPECT_EQ(left(), 2U);
}

TEST_F(DeadLettersTest, AnInboxThatCannotBeReadIsAFailure) {
  add("t");
  const triggerd::test::SqliteConnection other((dir_ / "inbox.db").string());
  ASSERT_EQ(other.run("DROP TABLE dead_letter"), 0);
  const auto has_failed = [](const auto& outcome) {
    return !outcome && outcome.error().kind == Kind::failed;
  };
  EXPECT_TRUE(has_failed(dead_letters_->dead_letters({}, {}, 1, 0)));
  EXPECT_TRUE(has_failed(dead_letters_->dead_letter(1)));
  EXPECT_TRUE(has_failed(dead_letters_->replay_dead_letter(1, "somebody")));
  EXPECT_TRUE(has_failed(dead_letters_->replay_dead_letters({}, "somebody", {})));
  EXPECT_TRUE(has_failed(dead_letters_->edit_dead_letter(1, "y", std::nullopt, "somebody")));
  EXPECT_TRUE(has_failed(dead_letters_->drop_dead_letter(1, "somebody")));
}

// The trigger of the dead letters runs, and takes two messages.
class RunningDeadLettersTest : public ManagedRuntime {
 protected:
  void SetUp() override {
    ManagedRuntime::SetUp();
    start(
        "[aliases.a]\nhost = \"tcp://one:1883\"\n[[triggers]]\nname = \"t\"\nalias = "
        "\"a\"\ntopics = [\"x\"]\nservice = \"nothing\"\nqueue_capacity = 2\n");
    run_trigger("t");
    for (int i = 0; i < 5; ++i) {
      inbox::DeadLetter dead_letter;
      dead_letter.trigger = "t";
      dead_letter.topic = "x";
      ASSERT_TRUE(inbox_->dead_letters().add(dead_letter));
    }
  }
};

TEST_F(RunningDeadLettersTest, NoMoreAreReplayedThanItsQueueTakes) {
  int asked = 0;
  const auto done = dead_letters().replay_dead_letters(
      {}, "somebody", [&](std::uint64_t so_far, std::uint64_t total) {
        EXPECT_EQ(total, 5U);
        if (so_far == 2) ++asked;
        return asked < 3;  // whoever asks has waited long enough
      });
  ASSERT_TRUE(done);
  EXPECT_EQ(done->done, 2U);
  EXPECT_EQ(done->failed, 0U);
  EXPECT_EQ(done->last_failure, "trigger \"t\" already has queue_capacity (2) unfinished messages");
}

TEST_F(RunningDeadLettersTest, AWaitForItsQueueEndsWhenTheRuntimeStops) {
  const auto done =
      dead_letters().replay_dead_letters({}, "somebody", [&](std::uint64_t so_far, std::uint64_t) {
        if (so_far == 2) control_.begin_stop();
        return true;
      });
  ASSERT_TRUE(done);
  EXPECT_EQ(done->done, 2U);
  EXPECT_FALSE(done->last_failure.empty());
  EXPECT_EQ(dead_letters().replay_dead_letters({}, "somebody", {})->done, 0U);
}

}  // namespace
}  // namespace triggerd::control::test
