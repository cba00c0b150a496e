// Keys of handled messages in the file: written with the end of their message, found by whoever
// comes later, and forgotten.
#include "inbox/handled_keys.hpp"

#include <gtest/gtest.h>

#include <atomic>
#include <memory>
#include <string>

#include "inbox/inbox.hpp"
#include "inbox/inbox_file.hpp"
#include "inbox/writer.hpp"
#include "support/eventually.hpp"
#include "support/fake_clock.hpp"
#include "support/inbox_version_5.hpp"
#include "support/temp_dir.hpp"
#include "unit/inbox/calling_waiter.hpp"

namespace triggerd::inbox {
namespace {

constexpr Millis kHour{3'600'000};

MessageKey key(unsigned char first) {
  MessageKey made{};
  made[0] = first;
  made[15] = 0xff;
  return made;
}

// A message that is finished before the writer comes to it.
class FinishedEntry final : public Entry {
 public:
  explicit FinishedEntry(const HandledKey& key) : key_(key) {}
  bool wants_writing() const override { return true; }
  bool begin_write() override { return false; }
  MessageView view() const override { return {.trigger = "t", .message_id = "id", .qos = 1}; }
  void written(std::optional<std::int64_t> number) override {
    EXPECT_FALSE(number);
    told = true;
  }
  void not_written() override {}
  void flush_acknowledgement() override {}
  const HandledKey* handled() const override { return &key_; }

  std::atomic<bool> told{false};

 private:
  const HandledKey key_;
};

class HandledKeysTest : public testing::Test {
 protected:
  HandledKeysTest() { open(); }
  void open() {
    writer_.reset();
    inbox_.reset();
    inbox_ = Inbox::open(file_, {.clock = &clock_}).value();
    writer_ = std::make_unique<Writer>(*inbox_, Writer::Options{.sync_to_disk = false},
                                       [](const std::optional<std::string>&) {});
  }
  std::shared_ptr<KeyList> keys(const std::string& trigger = "t", Millis window = kHour,
                                std::size_t max = 100) {
    return inbox_->handled_keys().of(trigger, {.window = window, .max = max}, clock_.now()).value();
  }
  HandledKey add(unsigned char first, const std::string& trigger = "t") {
    return keys(trigger)->add(key(first), clock_.now()).row;
  }
  void keep(unsigned char first, const std::string& trigger = "t") {
    writer_->keep_key(add(first, trigger), nullptr);
  }
  bool knows(unsigned char first, const std::string& trigger = "t") {
    return keys(trigger)->has(key(first), clock_.now());
  }
  void flush() { ASSERT_TRUE(writer_->flush(std::chrono::steady_clock::now() + test::kPatience)); }
  std::int64_t number_in(const std::string& sql) {
    MutexLock lock(inbox_->file().mutex());
    Statement query(inbox_->file().database(), sql);
    EXPECT_TRUE(query.step()) << sql;
    return query.number(0);
  }
  std::int64_t rows() { return number_in("SELECT count(*) FROM handled_key"); }

  test::FakeClock clock_;
  test::TempDir dir_;
  const std::filesystem::path file_ = dir_ / "inbox.db";
  std::unique_ptr<Inbox> inbox_;
  std::unique_ptr<Writer> writer_;
};

TEST_F(HandledKeysTest, TheyAreThereAfterARestartEachForItsTrigger) {
  keep(1);
  keep(2, "other");
  flush();
  open();
  EXPECT_TRUE(knows(1));
  EXPECT_FALSE(knows(2));
  EXPECT_TRUE(knows(2, "other"));
  EXPECT_EQ(add(3).number, 2) << "numbers go on";
}

TEST_F(HandledKeysTest, ATriggerThatIsMadeAgainKnowsWhatIsNotWrittenYet) {
  add(1);
  EXPECT_TRUE(keys("t", 2 * kHour, 5)->has(key(1), clock_.now() + kHour)) << "with its new limits";
}

TEST_F(HandledKeysTest, TheWindowGoesOnOverARestart) {
  keep(1);
  clock_.advance(kHour / 2);
  keep(2);
  flush();
  clock_.advance(kHour / 2);
  open();
  EXPECT_FALSE(knows(1));
  EXPECT_TRUE(knows(2));
  keep(3);
  flush();
  EXPECT_EQ(rows(), 2) << "the row of the first went with the next that was kept";
}

TEST_F(HandledKeysTest, AClockThatIsSetMakesNoKeyOlderOrYounger) {
  for (const Millis by : {24 * kHour, -48 * kHour}) {
    SCOPED_TRACE(by.count());
    keep(1);
    flush();
    clock_.set_wall(by);
    // Another message that is kept makes the writer see it.
    writer_.reset();
    {
      MutexLock lock(inbox_->file().mutex());
      ASSERT_TRUE(
          inbox_->file().row_clock().follow(inbox_->file().database(), Transaction::Sync::process));
    }
    clock_.advance(kHour - Millis(1));
    open();
    EXPECT_TRUE(knows(1));
    clock_.advance(Millis(1));
    EXPECT_FALSE(knows(1));
  }
}

TEST_F(HandledKeysTest, AClockSetBackBetweenTwoRunsGivesNoMoreThanTheWindow) {
  keep(1);
  flush();
  writer_.reset();
  inbox_.reset();
  clock_.set_wall(-100 * kHour);
  open();
  EXPECT_TRUE(knows(1));
  clock_.advance(kHour);
  EXPECT_FALSE(knows(1));
}

// ---- With the end of the message ----

TEST_F(HandledKeysTest, ARowGoesInTheTransactionThatKeepsItsKey) {
  {
    MutexLock lock(inbox_->file().mutex());
    ASSERT_TRUE(inbox_->file().database().execute(
        "INSERT INTO message (number, trigger_name, message_id, topic, payload, qos, retained,"
        " packet_id, attempts, received_ms) VALUES (5, 't', 'id', 'a', x'', 1, 0, 1, 0, 0);"
        // Whoever sees one of the two gone or there sees the other.
        "CREATE TABLE seen (keys INTEGER);"
        "CREATE TRIGGER before_removal BEFORE DELETE ON message BEGIN"
        " INSERT INTO seen SELECT count(*) FROM handled_key; END;"
        "CREATE TRIGGER after_key AFTER INSERT ON handled_key"
        " WHEN (SELECT count(*) FROM message) = 0 BEGIN"
        " SELECT RAISE(ABORT, 'the key comes late'); END"));
  }
  writer_->remove(5, add(1));
  flush();
  EXPECT_EQ(number_in("SELECT count(*) FROM message"), 0);
  EXPECT_EQ(number_in("SELECT keys FROM seen"), 1);
  EXPECT_EQ(writer_->stats().batches, 0U) << "nothing else was written";
}

TEST_F(HandledKeysTest, WhoWaitsForAKeyIsToldOnceItIsThere) {
  std::atomic<std::int64_t> rows_then = -1;
  writer_->keep_key(add(1), std::make_unique<CallingWaiter>([&] { rows_then = rows(); }));
  flush();
  EXPECT_EQ(rows_then, 1);
}

TEST_F(HandledKeysTest, AMessageThatNeedsNoRowIsToldOnceItsKeyIsThere) {
  const auto entry = std::make_shared<FinishedEntry>(add(1));
  writer_->accept({entry});
  writer_->reconsider();
  flush();
  EXPECT_TRUE(entry->told);
  EXPECT_EQ(rows(), 1);
  EXPECT_EQ(number_in("SELECT count(*) FROM message"), 0);
}

TEST_F(HandledKeysTest, APacketIdIsKeptTogetherWithTheKeyOfItsMessage) {
  const auto entry = std::make_shared<FinishedEntry>(add(1));
  writer_->accept({"edge", 7}, entry);
  flush();
  EXPECT_EQ(rows(), 1);
  EXPECT_EQ(number_in("SELECT count(*) FROM awaiting_pubrel"), 1);
}

// ---- Nobody wants them any more ----

TEST_F(HandledKeysTest, KeysOfTriggersThatAreNotWantedAreForgotten) {
  for (unsigned char i = 1; i <= 5; ++i) keep(i, "gone");
  keep(9);
  flush();
  const HandledKey late = add(6, "gone");
  ASSERT_TRUE(inbox_->handled_keys().keep_only([](std::string_view name) { return name == "t"; }));
  EXPECT_EQ(rows(), 1);
  EXPECT_TRUE(knows(9));
  writer_->keep_key(late, nullptr);
  flush();
  EXPECT_EQ(rows(), 1) << "what was on its way is of no list any more";
  EXPECT_FALSE(knows(1, "gone")) << "it is another list now";
  keep(1, "gone");
  flush();
  open();
  EXPECT_TRUE(knows(1, "gone"));
}

TEST_F(HandledKeysTest, AFileOfAnOlderVersionGetsTheTables) {
  const std::filesystem::path old = dir_ / "old.db";
  ASSERT_TRUE(test::make_inbox_of_version_5(
      old,
      "INSERT INTO message (trigger_name, message_id, topic, payload, qos, retained, packet_id,"
      " attempts, received_ms) VALUES ('t', 'id', 'a', x'', 1, 0, 1, 0, 0)"));
  const auto upgraded = Inbox::open(old).value();
  EXPECT_TRUE(upgraded->handled_keys().of("t", {.window = kHour, .max = 1}, clock_.now()));
  EXPECT_EQ(upgraded->messages().page("t", 0, 10).value().size(), 1U);
}

}  // namespace
}  // namespace triggerd::inbox
