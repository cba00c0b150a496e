// Lists of dead letters read what they show, and nobody waits for them.
#include <gtest/gtest.h>

#include <fstream>
#include <future>

#include "inbox/inbox.hpp"
#include "support/eventually.hpp"
#include "support/temp_dir.hpp"

namespace triggerd::inbox {
namespace {

constexpr std::size_t kLetters = 40;
constexpr std::size_t kPayload = 1'000'000;

// What this process has read so far, from files and from their cache.
std::uint64_t bytes_read() {
  std::ifstream io("/proc/self/io");
  std::string name;
  std::uint64_t value = 0;
  io >> name >> value;
  EXPECT_EQ(name, "rchar:");
  return value;
}

class DeadLetterListsTest : public testing::Test {
 protected:
  DeadLetterListsTest() {
    for (std::size_t i = 0; i < kLetters; ++i) {
      EXPECT_TRUE(inbox_->dead_letters().add({.message_id = std::to_string(i),
                                              .trigger = i % 2 == 0 ? "even" : "odd",
                                              .topic = "plant/1",
                                              .payload = std::string(kPayload, 'x'),
                                              .reason = "no",
                                              .died = Wall(Millis(1'000 * i)),
                                              .properties = "p"}));
    }
    inbox_.reset();  // and nothing of it is in a cache of SQLite's
    inbox_ = Inbox::open(dir_ / "inbox.db").value();
  }

  test::TempDir dir_;
  std::unique_ptr<Inbox> inbox_ = Inbox::open(dir_ / "inbox.db").value();
};

TEST_F(DeadLetterListsTest, APageCostsTheSameWhateverThePayloads) {
  const std::uint64_t before = bytes_read();
  const auto page = inbox_->dead_letters().page({}, INT64_MAX, false, kLetters, 3).value();
  const auto odd = inbox_->dead_letters().page({.trigger = "odd"}, 0, true, kLetters, 0).value();
  const auto late = inbox_->dead_letters()
                        .page({.trigger = {}, .since = Wall(Millis(5'000))}, 0, true, 1, 0)
                        .value();
  EXPECT_EQ(inbox_->dead_letters().count({}).value(), kLetters);
  EXPECT_EQ(inbox_->dead_letters().count({.trigger = "odd", .until = Wall(Millis(4'000))}).value(),
            2U);
  const std::uint64_t read = bytes_read() - before;
  EXPECT_LT(read, kLetters * kPayload / 10) << "there are " << kLetters * kPayload;

  ASSERT_EQ(page.size(), kLetters);
  EXPECT_EQ(page.front().number, static_cast<std::int64_t>(kLetters));
  for (const DeadLetter& letter : page) {
    EXPECT_EQ(letter.payload, "xxx");
    EXPECT_EQ(letter.payload_size, kPayload);
    EXPECT_EQ(letter.reason, "no");
    EXPECT_EQ(letter.topic, "plant/1");
    EXPECT_EQ(letter.properties, "p");
  }
  ASSERT_EQ(odd.size(), kLetters / 2);
  EXPECT_EQ(odd.front().message_id, "1");
  EXPECT_EQ(odd.front().payload, "");
  EXPECT_EQ(odd.front().payload_size, kPayload);
  ASSERT_EQ(late.size(), 1U);
  EXPECT_EQ(late.front().message_id, "5");
}

TEST_F(DeadLetterListsTest, OneLetterIsReadWholeOrNot) {
  EXPECT_EQ(inbox_->dead_letters().find(1).value()->payload.size(), kPayload);
  const auto head = inbox_->dead_letters().find(1, 0).value();
  EXPECT_EQ(head->payload, "");
  EXPECT_EQ(head->trigger, "even");
  EXPECT_FALSE(inbox_->dead_letters().find(kLetters + 1, 0).value().has_value());
}

// Whoever writes has the inbox's lock, and a list is read beside that.
TEST_F(DeadLetterListsTest, AListAndAWriterDoNotWaitForEachOther) {
  bool listed = false;
  std::future<void> list;
  ASSERT_TRUE(inbox_->dead_letters().add(
      {.message_id = "last", .trigger = "t"}, [&]() -> std::optional<std::int64_t> {
        list = std::async(std::launch::async, [&] {
          listed = inbox_->dead_letters().newest("", 10).has_value() &&
                   inbox_->dead_letters().count({}).has_value() &&
                   inbox_->dead_letters().find(1).has_value();
        });
        EXPECT_EQ(list.wait_for(test::kPatience), std::future_status::ready);
        return std::nullopt;
      }));
  list.wait();
  EXPECT_TRUE(listed);
}

}  // namespace
}  // namespace triggerd::inbox
