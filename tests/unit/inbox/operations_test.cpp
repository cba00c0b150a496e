#include "inbox/operations.hpp"

#include <gtest/gtest.h>

namespace triggerd::inbox {
namespace {

class QueuedEntry : public Entry {
 public:
  explicit QueuedEntry(bool finished) : finished_(finished) {}
  bool wants_writing() const override { return !finished_; }
  bool begin_write() override { return !finished_; }
  MessageView view() const override { return {}; }
  void written(std::optional<std::int64_t>) override {}
  void not_written() override {}
  void flush_acknowledgement() override {}

 private:
  const bool finished_;
};

EntryPtr entry(bool finished) {
  return std::make_shared<QueuedEntry>(finished);
}

TEST(OperationQueue, GivesAllInTheirOrder) {
  OperationQueue queue;
  queue.push(KeepId{{"edge", 1}, "a", nullptr});
  queue.push(std::vector<EntryPtr>{entry(false), entry(false)});
  queue.push(ForgetId{{"edge", 1}, nullptr});
  EXPECT_EQ(queue.size(), 4U);
  const auto all = queue.take_all();
  EXPECT_EQ(queue.size(), 0U);
  ASSERT_EQ(all.size(), 4U);
  EXPECT_TRUE(std::holds_alternative<KeepId>(all[0]));
  EXPECT_TRUE(std::holds_alternative<Accept>(all[2]));
  EXPECT_TRUE(std::holds_alternative<ForgetId>(all[3]));
}

TEST(OperationQueue, TakesOutFinishedMessagesThatHaveNoPacketIdToKeep) {
  OperationQueue queue;
  queue.push(std::vector<EntryPtr>{entry(true), entry(false), entry(true)});
  queue.push(Accept{entry(true), PacketKey{"edge", 1}});
  queue.push(KeepId{{"edge", 2}, "a", nullptr});
  EXPECT_EQ(queue.take_finished().size(), 2U);
  EXPECT_EQ(queue.size(), 3U);
  const auto rest = queue.take_all();
  EXPECT_TRUE(std::get<Accept>(rest[0]).entry->wants_writing());
  EXPECT_TRUE(std::get<Accept>(rest[1]).key);
  EXPECT_TRUE(std::holds_alternative<KeepId>(rest[2]));
}

TEST(OperationQueue, IsSweptAgainOnlyAfterItHasDoubled) {
  OperationQueue queue;
  const auto push_until_due = [&queue] {
    std::size_t pushed = 0;
    for (; !queue.is_due_for_a_sweep(); ++pushed) queue.push(Accept{entry(false), {}});
    return pushed;
  };
  const std::size_t first = push_until_due();
  EXPECT_TRUE(queue.take_finished().empty());
  EXPECT_FALSE(queue.is_due_for_a_sweep());
  EXPECT_EQ(push_until_due(), first);
  EXPECT_TRUE(queue.take_finished().empty());
  EXPECT_EQ(push_until_due(), 2 * first);
  static_cast<void>(queue.take_all());
  EXPECT_EQ(push_until_due(), first) << "it begins anew";
}

}  // namespace
}  // namespace triggerd::inbox
