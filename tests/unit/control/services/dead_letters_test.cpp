#include "control/services/dead_letters.hpp"

#include <gtest/gtest.h>

#include "unit/control/fixture.hpp"

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

}  // namespace
}  // namespace triggerd::control::test
