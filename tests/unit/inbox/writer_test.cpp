#include "inbox/writer.hpp"

#include <gtest/gtest.h>
#include <sqlite3.h>

#include <atomic>

#include "support/eventually.hpp"
#include "support/fake_clock.hpp"
#include "support/lossy_vfs.hpp"
#include "unit/inbox/calling_waiter.hpp"

namespace triggerd::inbox {
namespace {

constexpr std::size_t kUpTo = 1000;
constexpr Millis kShortRetry{5};

// What the writer has said, in its order. [any thread]
class Journal {
 public:
  void add(std::string line) {
    const MutexLock lock(mutex_);
    lines_.push_back(std::move(line));
  }
  std::vector<std::string> lines() const {
    const MutexLock lock(mutex_);
    return lines_;
  }
  std::size_t size() const { return lines().size(); }

 private:
  mutable Mutex mutex_;
  std::vector<std::string> lines_ TRIGGERD_GUARDED_BY(mutex_);
};

class FakeEntry : public Entry {
 public:
  FakeEntry(std::string id, Journal& journal, std::string payload = "payload")
      : id_(std::move(id)), payload_(std::move(payload)), journal_(journal) {}

  bool wants_writing() const override { return !finished; }
  bool begin_write() override { return !finished; }
  MessageView view() const override {
    return {.trigger = "alarms",
            .message_id = id_,
            .topic = "plant/1",
            .payload = payload_,
            .qos = 2,
            .retained = true,
            .packet_id = 77,
            .attempts = 3,
            .received = Wall(Millis(1'700'000'000'123)),
            .properties = properties ? std::optional<std::string_view>(*properties) : std::nullopt,
            .expires = expires};
  }
  std::optional<std::string> properties;  // set before it is accepted
  std::optional<Monotonic> expires;

  void written(std::optional<std::int64_t> row) override {
    number = row.value_or(0);
    journal_.add(id_ + (row ? " written" : " not needed"));
  }
  void not_written() override { ++failures; }
  void flush_acknowledgement() override { ++flushes; }

  std::atomic<bool> finished{false};
  std::atomic<std::int64_t> number{0};
  std::atomic<int> failures{0};
  std::atomic<int> flushes{0};

 private:
  const std::string id_;
  const std::string payload_;
  Journal& journal_;
};
using FakePtr = std::shared_ptr<FakeEntry>;

class WriterTest : public testing::Test {
 protected:
  WriterTest() : inbox_(Inbox::open("inbox.db", {.vfs = vfs_.name()}).value()) { start({}); }

  void start(const Writer::Options& options) {
    writer_.reset();
    writer_ = std::make_unique<Writer>(
        *inbox_, options,
        [this](const std::optional<std::string>& reason) { troubles_.add(reason.value_or("")); });
  }
  FakePtr entry(const std::string& id, const std::string& payload = "payload") {
    return std::make_shared<FakeEntry>(id, journal_, payload);
  }
  FakePtr accept(const std::string& id, const std::string& payload = "payload") {
    auto accepted = entry(id, payload);
    writer_->accept({accepted});
    return accepted;
  }
  [[nodiscard]] bool flush() {
    return writer_->flush(std::chrono::steady_clock::now() + test::kPatience);
  }
  [[nodiscard]] bool told(std::size_t troubles) {
    return test::eventually([&] { return troubles_.lines().size() >= troubles; });
  }
  std::vector<StoredMessage> messages() {
    return inbox_->messages().page("alarms", 0, kUpTo).value();
  }
  std::vector<AwaitingPubrel> kept() {
    return inbox_->packet_ids().awaiting_pubrel("edge").value();
  }
  PacketIdWaiterPtr waiter(const std::string& line) {
    return std::make_unique<CallingWaiter>(
        [this, line] { journal_.add(line); },
        [this] { flushes_.add(std::to_string(journal_.size())); });
  }
  void keep_id(std::uint16_t packet_id, const std::string& id) {
    writer_->keep_id({"edge", packet_id}, id, waiter(id + " kept"));
  }

  using Lines = std::vector<std::string>;
  Journal journal_;
  Journal flushes_;   // of waiters, each with how many lines the journal had
  Journal troubles_;  // "": it is over
  test::LossyVfs vfs_{"writer"};
  std::unique_ptr<Inbox> inbox_;
  std::unique_ptr<Writer> writer_;
};

TEST_F(WriterTest, WritesAllOfAMessage) {
  const FakePtr accepted = accept("id-1", std::string("\0\xff", 2));
  ASSERT_TRUE(flush());
  const auto found = messages();
  ASSERT_EQ(found.size(), 1U);
  EXPECT_EQ(found[0].number, accepted->number);
  EXPECT_EQ(found[0].message_id, "id-1");
  EXPECT_EQ(found[0].topic, "plant/1");
  EXPECT_EQ(found[0].payload, std::string("\0\xff", 2));
  EXPECT_EQ(found[0].qos, 2);
  EXPECT_TRUE(found[0].retained);
  EXPECT_EQ(found[0].packet_id, 77);
  EXPECT_EQ(found[0].attempts, 3U);
  EXPECT_EQ(found[0].received, Wall(Millis(1'700'000'000'123)));
  EXPECT_EQ(accepted->flushes, 1);
}

TEST_F(WriterTest, WhatIsFinishedBeforeIsNotWritten) {
  const std::size_t operations = vfs_.operations();
  const FakePtr finished = entry("a");
  finished->finished = true;
  writer_->accept({finished});
  ASSERT_TRUE(flush());
  EXPECT_EQ(journal_.lines(), Lines{"a not needed"});
  EXPECT_EQ(finished->flushes, 1);
  EXPECT_EQ(vfs_.operations(), operations);
  EXPECT_EQ(writer_->stats().messages, 0U);
  EXPECT_EQ(writer_->stats().batches, 0U);
  EXPECT_EQ(writer_->stats().finished, 1U);
}

TEST_F(WriterTest, FinishedMessagesDoNotGatherWhereTheBatchIsLate) {
  start({.grace = Millis(3'600'000)});
  const FakePtr kept = accept("kept");
  std::weak_ptr<FakeEntry> first;
  for (int i = 0; i < 10'000; ++i) {
    const FakePtr finished = accept(std::to_string(i));
    finished->finished = true;
    if (i == 0) first = finished;
  }
  EXPECT_TRUE(first.expired());
  EXPECT_GT(writer_->stats().finished, 4'000U);
  ASSERT_TRUE(flush());
  EXPECT_EQ(messages().size(), 1U);
  EXPECT_GT(kept->number, 0);
  EXPECT_EQ(writer_->stats().finished, 10'000U);
}

TEST_F(WriterTest, ManyEntriesAreOneBatchInTheirOrder) {
  std::vector<EntryPtr> entries;
  Lines expected;
  for (int i = 0; i < 50; ++i) {
    entries.push_back(entry(std::to_string(i)));
    expected.push_back(std::to_string(i) + " written");
  }
  writer_->accept(std::move(entries));
  ASSERT_TRUE(flush());
  EXPECT_EQ(journal_.lines(), expected);
  EXPECT_EQ(writer_->stats().batches, 1U);
  EXPECT_EQ(writer_->stats().messages, 50U);
  const auto found = messages();
  ASSERT_EQ(found.size(), 50U);
  for (std::size_t i = 0; i < found.size(); ++i) EXPECT_EQ(found[i].message_id, std::to_string(i));
}

TEST_F(WriterTest, BatchesKeepTheOrder) {
  Lines expected;
  for (int i = 0; i < 200; ++i) {
    accept(std::to_string(i));
    expected.push_back(std::to_string(i) + " written");
  }
  ASSERT_TRUE(flush());
  EXPECT_EQ(journal_.lines(), expected);
}

TEST_F(WriterTest, StartsWithoutAWordOfTrouble) {
  accept("a");
  ASSERT_TRUE(flush());
  EXPECT_TRUE(troubles_.lines().empty());
}

TEST_F(WriterTest, AFullDiskIsToldOnceAndTriedAgainUntilItIsWritten) {
  start({.grace = std::chrono::hours(1), .retry = kShortRetry});
  vfs_.fail_writes(SQLITE_FULL);
  const FakePtr first = accept("a");
  keep_id(1, "b");
  writer_->hurry();  // only now, so that both are in the batch that is tried again
  ASSERT_TRUE(test::eventually([&] { return first->failures >= 3; }));
  const FakePtr second = accept("c");
  EXPECT_EQ(troubles_.lines().size(), 1U);
  EXPECT_NE(troubles_.lines().at(0).find("full"), std::string::npos) << troubles_.lines().at(0);
  EXPECT_TRUE(journal_.lines().empty());
  EXPECT_EQ(first->flushes + second->flushes, 0);
  EXPECT_TRUE(messages().empty());

  vfs_.fail_writes(SQLITE_OK);
  ASSERT_TRUE(flush());
  EXPECT_EQ(journal_.lines(), (Lines{"a written", "b kept", "c written"}));
  ASSERT_EQ(troubles_.lines().size(), 2U);
  EXPECT_EQ(troubles_.lines().at(1), "");
  EXPECT_EQ(messages().size(), 2U);
  EXPECT_EQ(kept().size(), 1U);
}

TEST_F(WriterTest, WhatIsFinishedWithinItsGraceIsNotWritten) {
  test::FakeClock clock;
  start({.clock = &clock});
  const FakePtr accepted = accept("a");
  accepted->finished = true;
  clock.advance(Millis(1));
  ASSERT_TRUE(test::eventually([&] { return journal_.size() == 1; }));
  EXPECT_EQ(journal_.lines(), Lines{"a not needed"});
  writer_.reset();  // before its clock
}

TEST_F(WriterTest, IsTriedAgainAfterItsTime) {
  test::FakeClock clock;
  start({.clock = &clock});
  vfs_.fail_writes(SQLITE_IOERR);
  const FakePtr accepted = accept("a");
  clock.advance(Millis(1));
  ASSERT_TRUE(told(1));
  vfs_.fail_writes(SQLITE_OK);
  clock.advance(Millis(499));
  writer_->hurry();
  EXPECT_FALSE(writer_->flush(std::chrono::steady_clock::now())) << "nobody hurries a disk";
  EXPECT_EQ(accepted->failures, 1);
  clock.advance(Millis(500));  // it may have begun to wait only now
  ASSERT_TRUE(flush());
  EXPECT_EQ(journal_.lines(), Lines{"a written"});
  writer_.reset();  // before its clock
}

TEST_F(WriterTest, WhatIsFinishedWhileTheDiskIsFullIsNotWritten) {
  start({.retry = kShortRetry});
  vfs_.fail_writes(SQLITE_FULL);
  const FakePtr accepted = accept("a");
  ASSERT_TRUE(test::eventually([&] { return accepted->failures > 0; }));
  accepted->finished = true;
  ASSERT_TRUE(flush());
  EXPECT_EQ(journal_.lines(), Lines{"a not needed"});
}

TEST_F(WriterTest, FlushComesBackAtItsDeadlineWhileWritesFail) {
  start({.retry = kShortRetry});
  vfs_.fail_writes(SQLITE_IOERR);
  const FakePtr accepted = accept("a");
  EXPECT_FALSE(writer_->flush(std::chrono::steady_clock::now() + Millis(30)));
  EXPECT_TRUE(journal_.lines().empty());
  vfs_.fail_writes(SQLITE_OK);
  EXPECT_TRUE(flush());
  EXPECT_EQ(journal_.lines(), Lines{"a written"});
}

// An end says nothing of the file: whoever believed it would receive what nobody writes.
TEST_F(WriterTest, EndsAtOnceWhileWritesFailAndTheTroubleIsNotOver) {
  start({.retry = std::chrono::hours(1)});
  vfs_.fail_writes(SQLITE_FULL);
  accept("a");
  ASSERT_TRUE(told(1));
  writer_.reset();
  EXPECT_EQ(troubles_.lines().size(), 1U);
  EXPECT_TRUE(journal_.lines().empty());
}

TEST_F(WriterTest, TheEndWritesWhatIsQueued) {
  start({.grace = std::chrono::hours(1)});
  accept("a");
  writer_.reset();
  EXPECT_EQ(journal_.lines(), Lines{"a written"});
  EXPECT_EQ(messages().size(), 1U);
}

TEST_F(WriterTest, OverMaxSizeIsTroubleUntilMessagesAreRemoved) {
  start({.max_size = 400'000, .retry = kShortRetry});
  std::vector<FakePtr> accepted;
  for (int i = 0; i < 10; ++i) accepted.push_back(accept("a", std::string(50'000, 'x')));
  ASSERT_TRUE(flush());
  ASSERT_TRUE(told(1));
  EXPECT_NE(troubles_.lines().at(0).find("max_size"), std::string::npos);
  EXPECT_EQ(messages().size(), 10U);  // what was accepted is written all the same
  for (const FakePtr& entry : accepted) writer_->remove(entry->number);
  ASSERT_TRUE(flush());
  ASSERT_TRUE(told(2));
  EXPECT_EQ(troubles_.lines().at(1), "");
}

TEST_F(WriterTest, OverMaxSizeIsOverWhenOthersHaveMadeRoom) {
  std::vector<std::int64_t> letters;
  for (int i = 0; i < 10; ++i) {
    letters.push_back(inbox_->dead_letters().add({.payload = std::string(50'000, 'x')}).value());
  }
  start({.max_size = 400'000, .retry = kShortRetry});
  ASSERT_TRUE(told(1));
  EXPECT_NE(troubles_.lines().at(0), "");
  for (const std::int64_t number : letters) ASSERT_TRUE(inbox_->dead_letters().drop(number));
  ASSERT_TRUE(told(2));
  EXPECT_EQ(troubles_.lines().at(1), "");
}

TEST_F(WriterTest, RemovalsAndAttemptsReachTheFile) {
  const FakePtr first = accept("a");
  const FakePtr second = accept("b");
  ASSERT_TRUE(flush());
  writer_->note_attempts(first->number, 8);
  writer_->note_attempts(second->number, 8);
  writer_->note_attempts(second->number, 9);
  writer_->remove(first->number);
  ASSERT_TRUE(flush());
  const auto found = messages();
  ASSERT_EQ(found.size(), 1U);
  EXPECT_EQ(found[0].message_id, "b");
  EXPECT_EQ(found[0].attempts, 9U);
}

// Nobody asks for a flush.
TEST_F(WriterTest, RemovalsComeByThemselves) {
  const FakePtr accepted = accept("a");
  ASSERT_TRUE(flush());
  writer_->remove(accepted->number);
  EXPECT_TRUE(test::eventually([&] { return messages().empty(); }));
}

// A transaction for each would take a sync for each.
TEST_F(WriterTest, RetainedMessagesAreNotedTogether) {
  constexpr std::size_t kMessages = 2'000;
  const std::size_t operations = vfs_.operations();
  for (std::size_t i = 0; i < kMessages; ++i) {
    writer_->note_retained("alarms", "plant/" + std::to_string(i), "digest");
  }
  ASSERT_TRUE(flush());
  EXPECT_LT(vfs_.operations() - operations, kMessages);
  EXPECT_EQ(inbox_->triggers().handled_retained("alarms").value().size(), kMessages);
}

TEST_F(WriterTest, AKeptIdReplacesTheSameOneOnly) {
  keep_id(1, "old");
  keep_id(2, "other");
  keep_id(1, "new");
  writer_->keep_id({"another client", 1}, "x", {});
  ASSERT_TRUE(flush());
  EXPECT_EQ(journal_.lines(), (Lines{"old kept", "other kept", "new kept"}));
  const auto found = kept();
  ASSERT_EQ(found.size(), 2U);
  EXPECT_EQ(found[0].packet_id, 1);
  EXPECT_EQ(found[0].message_id, "new");
  EXPECT_EQ(found[1].packet_id, 2);
  EXPECT_EQ(found[1].message_id, "other");
  EXPECT_EQ(inbox_->packet_ids().awaiting_pubrel("another client").value().size(), 1U);
}

TEST_F(WriterTest, AForgottenIdIsGoneWhenThatIsTold) {
  keep_id(1, "a");
  keep_id(65'535, "b");
  writer_->forget_id({"edge", 1}, waiter("a forgotten"));
  writer_->forget_id({"edge", 77}, waiter("nothing forgotten"));
  writer_->forget_id({"another client", 65'535}, {});
  ASSERT_TRUE(flush());
  EXPECT_EQ(journal_.lines(), (Lines{"a kept", "b kept", "a forgotten", "nothing forgotten"}));
  ASSERT_EQ(kept().size(), 1U);
  EXPECT_EQ(kept()[0].packet_id, 65'535);
}

// What may leave then leaves in one write.
TEST_F(WriterTest, WhatWasKeptAndForgottenTogetherIsFlushedTogether) {
  start({.grace = std::chrono::hours(1)});
  keep_id(1, "a");
  writer_->forget_id({"edge", 2}, waiter("b forgotten"));
  keep_id(3, "c");
  ASSERT_TRUE(flush());
  EXPECT_EQ(journal_.lines(), (Lines{"a kept", "b forgotten", "c kept"}));
  EXPECT_EQ(flushes_.lines(), (Lines{"3", "3", "3"}));
}

TEST_F(WriterTest, WhatIsFinishedWithinItsGraceNeedsNoTransaction) {
  start({.grace = std::chrono::hours(1)});
  const FakePtr first = accept("a");
  const FakePtr second = accept("b");
  first->finished = true;
  writer_->reconsider();
  EXPECT_EQ(first.use_count(), 1) << "the writer has forgotten it";
  EXPECT_GT(second.use_count(), 1);
  ASSERT_TRUE(flush());
  EXPECT_EQ(journal_.lines(), Lines{"b written"});
  EXPECT_EQ(writer_->stats().finished, 1U);

  const FakePtr third = accept("c");
  third->finished = true;
  writer_->reconsider();
  ASSERT_TRUE(flush()) << "there is nothing to wait for";
  EXPECT_EQ(third.use_count(), 1);
  EXPECT_EQ(writer_->stats().batches, 1U);
}

TEST_F(WriterTest, WritesWhatMqtt5HasOfAMessage) {
  const FakePtr plain = accept("id-1");
  const FakePtr rich = entry("id-2");
  rich->properties = std::string("\x26\0\1k\0\1v", 7);
  rich->expires = std::chrono::floor<Millis>(std::chrono::steady_clock::now()) + Millis(60'123);
  writer_->accept({rich});
  ASSERT_TRUE(flush());
  const auto all = messages();
  ASSERT_EQ(all.size(), 2U);
  EXPECT_FALSE(all[0].properties.has_value());
  EXPECT_FALSE(all[0].expires.has_value());
  EXPECT_EQ(all[1].properties, rich->properties);
  EXPECT_EQ(all[1].expires, rich->expires);
}

TEST_F(WriterTest, AMessageAndItsPacketIdAreWrittenTogether) {
  const FakePtr whole = entry("id-1");
  const FakePtr finished = entry("id-2");
  finished->finished = true;
  writer_->accept({"edge", 7}, whole);
  writer_->accept({"edge", 8}, finished);
  ASSERT_TRUE(flush());
  EXPECT_EQ(journal_.lines(), (Lines{"id-1 written", "id-2 not needed"}));
  ASSERT_EQ(messages().size(), 1U);
  EXPECT_EQ(messages()[0].message_id, "id-1");
  ASSERT_EQ(kept().size(), 2U) << "an id is kept whether or not its message is finished";
  EXPECT_EQ(kept()[0].packet_id, 7);
  EXPECT_EQ(kept()[0].message_id, "id-1");
  EXPECT_EQ(kept()[1].packet_id, 8);
  EXPECT_EQ(kept()[1].message_id, "id-2");
  EXPECT_EQ(whole->flushes + finished->flushes, 2);
}

TEST_F(WriterTest, NeitherAMessageNorItsPacketIdIsThereWhereTheTransactionFailed) {
  start({.retry = kShortRetry});
  vfs_.fail_writes(SQLITE_FULL);
  const FakePtr accepted = entry("id-1");
  writer_->accept({"edge", 7}, accepted);
  ASSERT_TRUE(test::eventually([&] { return accepted->failures >= 2; }));
  EXPECT_TRUE(messages().empty());
  EXPECT_TRUE(kept().empty());
  EXPECT_TRUE(journal_.lines().empty());
  vfs_.fail_writes(SQLITE_OK);
  ASSERT_TRUE(flush());
  EXPECT_EQ(messages().size(), 1U);
  EXPECT_EQ(kept().size(), 1U);
}

TEST_F(WriterTest, AnIdThatIsForgottenInTheSameBatchIsForgotten) {
  writer_->accept({"edge", 7}, entry("id-1"));
  writer_->forget_id({"edge", 7}, {});
  writer_->accept({"edge", 7}, entry("id-2"));
  writer_->forget_id({"edge", 8}, {});
  ASSERT_TRUE(flush());
  EXPECT_EQ(messages().size(), 2U);
  ASSERT_EQ(kept().size(), 1U);
  EXPECT_EQ(kept()[0].message_id, "id-2");
}

}  // namespace
}  // namespace triggerd::inbox
