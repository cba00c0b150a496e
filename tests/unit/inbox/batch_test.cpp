#include "inbox/batch.hpp"

#include <gtest/gtest.h>

#include <memory>
#include <string>

#include "inbox/room_budget.hpp"
#include "unit/inbox/calling_waiter.hpp"

namespace triggerd::inbox {
namespace {

class BatchEntry : public Entry {
 public:
  BatchEntry(std::string id, std::size_t size, std::vector<std::string>& said)
      : id_(std::move(id)), payload_(size, 'x'), said_(said) {}
  bool wants_writing() const override { return !finished; }
  bool begin_write() override { return !finished; }
  MessageView view() const override { return {.message_id = id_, .payload = payload_}; }
  void written(std::optional<std::int64_t> row) override {
    said_.push_back(id_ + (row ? " written" : " not needed"));
  }
  void not_written() override { said_.push_back(id_ + " put back"); }
  void flush_acknowledgement() override { said_.push_back(id_ + " acknowledged"); }

  bool finished = false;

 private:
  const std::string id_;
  const std::string payload_;
  std::vector<std::string>& said_;
};

class BatchTest : public testing::Test {
 protected:
  using Lines = std::vector<std::string>;
  static constexpr std::uint64_t kMiB = 1U << 20;
  static constexpr std::uint64_t kPortion = kMiB;

  BatchTest() { leave(1'000 * kPortion); }
  void leave(std::uint64_t available) { budget_.measured({.known = true, .available = available}); }
  Operation accept(const std::string& id, std::size_t size, bool finished = false) {
    auto entry = std::make_shared<BatchEntry>(id, size, said_);
    entry->finished = finished;
    return Accept{std::move(entry), {}};
  }
  Operation keep_id(std::uint16_t packet_id) {
    return KeepId{
        {"edge", packet_id},
        "id",
        std::make_unique<CallingWaiter>(
            [this, packet_id] { said_.push_back(std::to_string(packet_id) + " kept"); },
            [this, packet_id] { said_.push_back(std::to_string(packet_id) + " acknowledged"); })};
  }
  template <class... Operations>
  static Batch batch_of(Notes notes, Operations... operations) {
    std::vector<Operation> all;
    (all.push_back(std::move(operations)), ...);
    return {std::move(all), std::move(notes)};
  }
  static std::vector<std::string> ids(const Portion& portion) {
    std::vector<std::string> found;
    for (const Portion::Row& message : portion.rows) {
      found.emplace_back(dynamic_cast<const Entry&>(*message.record).view().message_id);
    }
    return found;
  }

  RoomBudget budget_{1024 * kMiB, kPortion, 2 * kPortion};
  Lines said_;
};

TEST_F(BatchTest, WhatFitsIsOnePortion) {
  Batch batch = batch_of({.removals = {1, 2}, .attempts = {{3, 4}}}, accept("a", 10),
                         accept("b", 10, true), keep_id(7));
  const Portion portion = batch.next_portion(budget_);
  EXPECT_EQ(portion.operations.size(), 3U);
  EXPECT_EQ(portion.removals.size(), 2U);
  EXPECT_EQ(portion.attempts.size(), 1U);
  EXPECT_EQ(ids(portion), (Lines{"a", "b"}));
  EXPECT_EQ(portion.written(), 1U) << "b is finished";
  EXPECT_TRUE(portion.writes_row);
  EXPECT_FALSE(batch.is_done());
  batch.drop(portion);
  EXPECT_TRUE(batch.is_done());
}

TEST_F(BatchTest, MessagesAreToldBeforeAnyAcknowledgementLeaves) {
  Batch batch = batch_of({}, keep_id(7), accept("a", 10), accept("b", 10, true));
  const Portion portion = batch.next_portion(budget_);
  portion.settle(true);
  portion.acknowledge();
  EXPECT_EQ(said_, (Lines{"a written", "b not needed", "7 kept", "a acknowledged", "b acknowledged",
                          "7 acknowledged"}));
}

TEST_F(BatchTest, AfterATransactionThatFailedAllOfThePortionIsThereAgain) {
  Batch batch = batch_of({.removals = {1}}, accept("a", 10), accept("b", 10, true));
  batch.next_portion(budget_).settle(false);
  EXPECT_EQ(said_, Lines{"a put back"});
  const Portion again = batch.next_portion(budget_);
  EXPECT_EQ(ids(again), (Lines{"a", "b"}));
  EXPECT_EQ(again.removals.size(), 1U);
}

TEST_F(BatchTest, WhatIsTooMuchAtOnceComesNextAndInItsOrder) {
  leave(16 * kPortion);
  const std::size_t size = kPortion / 3 * 2;
  Batch batch = batch_of({}, accept("a", size), accept("b", size), accept("c", 10));
  const Portion first = batch.next_portion(budget_);
  EXPECT_EQ(ids(first), Lines{"a"});
  EXPECT_EQ(said_, Lines{"b put back"});
  batch.drop(first);
  const Portion second = batch.next_portion(budget_);
  EXPECT_EQ(ids(second), (Lines{"b", "c"}));
  batch.drop(second);
  EXPECT_TRUE(batch.is_done());
}

TEST_F(BatchTest, AMessageThatIsLargerThanATransactionIsAPortionOfItsOwn) {
  Batch batch = batch_of({}, accept("a", 20 * kMiB), accept("b", 10));
  const Portion first = batch.next_portion(budget_);
  EXPECT_EQ(ids(first), Lines{"a"});
  batch.drop(first);
  EXPECT_EQ(ids(batch.next_portion(budget_)), Lines{"b"});
}

TEST_F(BatchTest, WithoutRoomOnlyWhatIsFinishedAndRemovalsGo) {
  leave(0);
  Batch batch =
      batch_of({.removals = {1}}, accept("a", 10, true), accept("b", 10), accept("c", 10, true));
  const Portion portion = batch.next_portion(budget_);
  EXPECT_EQ(ids(portion), Lines{"a"}) << "nothing overtakes";
  EXPECT_EQ(portion.removals.size(), 1U);
  EXPECT_FALSE(portion.writes_row);
  batch.drop(portion);
  EXPECT_TRUE(batch.next_portion(budget_).is_empty());
  EXPECT_FALSE(batch.is_done());
}

TEST_F(BatchTest, OnAFullVolumeNotesWaitAndRemovalsDoNot) {
  budget_.set_cramped(true);
  Batch batch = batch_of({.retained = {{{"t", "topic"}, "digest"}},
                          .removals = std::vector<std::int64_t>(10'000, 1),
                          .attempts = {{3, 4}}});
  const Portion portion = batch.next_portion(budget_);
  EXPECT_TRUE(portion.retained.empty());
  EXPECT_TRUE(portion.attempts.empty());
  EXPECT_GT(portion.removals.size(), 0U);
  EXPECT_LT(portion.removals.size(), 10'000U) << "little by little";
  budget_.set_cramped(false);
  const Portion other = batch.next_portion(budget_);
  EXPECT_EQ(other.retained.size(), 1U);
  EXPECT_EQ(other.attempts.size(), 1U);
  EXPECT_GT(other.removals.size(), portion.removals.size());
}

TEST_F(BatchTest, APacketIdTakesRoomAlthoughItsMessageIsFinished) {
  leave(0);
  Operation finished = accept("a", 10, true);
  std::get<Accept>(finished).key = PacketKey{"edge", 7};
  Batch batch = batch_of({}, std::move(finished));
  EXPECT_TRUE(batch.next_portion(budget_).is_empty());
  leave(1'000 * kPortion);
  const Portion portion = batch.next_portion(budget_);
  EXPECT_EQ(portion.written(), 0U);
  EXPECT_TRUE(portion.writes_row);
}

TEST(Notes, ARemovedMessageHasNoAttemptsToNote) {
  Notes notes;
  notes.attempts[7] = 1;
  notes.remove(7);
  EXPECT_TRUE(notes.attempts.empty());
  Notes earlier;
  earlier.attempts = {{7, 1}, {8, 1}};
  earlier.retained = {{{"t", "a"}, "old"}};
  notes.attempts = {{8, 2}};
  notes.retained = {{{"t", "a"}, "new"}};
  earlier.add(std::move(notes));
  EXPECT_EQ(earlier.attempts, (std::unordered_map<std::int64_t, std::uint32_t>{{8, 2}}));
  EXPECT_EQ(earlier.removals, std::vector<std::int64_t>{7});
  EXPECT_EQ(earlier.retained.at({"t", "a"}), "new");
}

}  // namespace
}  // namespace triggerd::inbox
