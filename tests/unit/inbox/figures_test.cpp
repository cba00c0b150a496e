#include <gtest/gtest.h>

#include "inbox/inbox.hpp"
#include "support/temp_dir.hpp"

namespace triggerd::inbox {
namespace {

class FiguresTest : public testing::Test {
 protected:
  void SetUp() override {
    auto opened = Inbox::open(dir_ / "inbox.db");
    ASSERT_TRUE(opened);
    inbox_ = std::move(*opened);
  }
  void add(const std::string& trigger, int died_seconds) {
    DeadLetter letter;
    letter.trigger = trigger;
    letter.message_id = "m";
    letter.topic = "t";
    letter.died = Wall(std::chrono::seconds(died_seconds));
    ASSERT_TRUE(inbox_->dead_letters().add(letter));
  }
  std::vector<std::int64_t> numbers(const DeadLetterSelection& selection, std::int64_t beyond,
                                    bool oldest_first, std::size_t limit) {
    std::vector<std::int64_t> found;
    const auto letters = inbox_->dead_letters().page(selection, beyond, oldest_first, limit);
    EXPECT_TRUE(letters);
    if (letters) {
      for (const DeadLetter& letter : *letters) found.push_back(letter.number);
    }
    return found;
  }

  test::TempDir dir_;
  std::unique_ptr<Inbox> inbox_;
};

TEST_F(FiguresTest, DeadLettersComeByThePageFromBothEnds) {
  for (int i = 1; i <= 5; ++i) add(i % 2 == 0 ? "even" : "odd", i * 100);
  using Numbers = std::vector<std::int64_t>;
  EXPECT_EQ(numbers({}, INT64_MAX, false, 2), (Numbers{5, 4}));
  EXPECT_EQ(numbers({}, 4, false, 9), (Numbers{3, 2, 1}));
  EXPECT_EQ(numbers({}, 3, true, 9), (Numbers{4, 5}));
  EXPECT_EQ(numbers({.trigger = "odd"}, 0, true, 9), (Numbers{1, 3, 5}));
  EXPECT_EQ(numbers({.trigger = "",
                     .since = Wall(std::chrono::seconds(200)),
                     .until = Wall(std::chrono::seconds(400))},
                    0, true, 9),
            (Numbers{2, 3}));
  EXPECT_EQ(inbox_->dead_letters().count({.trigger = "odd"}), 3U);
  EXPECT_EQ(inbox_->dead_letters().count({}), 5U);
  EXPECT_EQ(numbers({.trigger = "odd", .up_to = 4}, 0, true, 9), (Numbers{1, 3}));
  EXPECT_EQ(inbox_->dead_letters().count({.trigger = "", .up_to = 4}), 4U);
}

TEST_F(FiguresTest, SayHowManyAndHowOldByTrigger) {
  add("t", 1);
  add("t", 2);
  DeadLetter letter;
  letter.trigger = "t";
  letter.message_id = "m";
  letter.topic = "t";
  letter.received = Wall(std::chrono::seconds(50));
  ASSERT_TRUE(inbox_->dead_letters().add(letter));
  ASSERT_TRUE(inbox_->dead_letters().replay(3));
  const auto figures = inbox_->figures();
  ASSERT_TRUE(figures) << figures.error().message;
  const Figures::OfTrigger& of = figures->triggers.at("t");
  EXPECT_EQ(of.messages, 1U);
  EXPECT_EQ(of.oldest, Wall(std::chrono::seconds(50)));
  EXPECT_EQ(of.dead_letters, 2U);
  EXPECT_GT(figures->bytes, 0U);
}

}  // namespace
}  // namespace triggerd::inbox
