#include "inbox/row_clock.hpp"

#include <gtest/gtest.h>
#include <sqlite3.h>

#include <memory>
#include <optional>

#include "inbox/message_rows.hpp"
#include "inbox/outgoing_rows.hpp"
#include "inbox/schema.hpp"
#include "support/fake_clock.hpp"
#include "support/lossy_vfs.hpp"

namespace triggerd::inbox {
namespace {

// On a file in memory.
class RowClockTest : public testing::Test {
 protected:
  static constexpr auto kHour = std::chrono::hours(1);
  static constexpr auto kYear = 24 * 365 * kHour;

  RowClockTest() {
    bool damaged = false;
    database_ = Database::open("inbox.db", vfs_.name(), damaged).value();
    EXPECT_TRUE(migrate(*database_));
  }
  // A message that has come just now.
  void add(const RowClock& rows, std::optional<Monotonic> expires) {
    ASSERT_TRUE(
        MessageInsert(*database_)
            .run(
                {.trigger = "t", .message_id = "id", .received = clock_.wall(), .expires = expires},
                rows));
  }
  std::int64_t of_row(const char* column) {
    Statement query(*database_, fmt::format("SELECT {} FROM message", column));
    EXPECT_TRUE(query.step());
    return query.number(0);
  }
  Result<> follow(RowClock& rows) { return rows.follow(*database_, Transaction::Sync::process); }

  test::FakeClock clock_;
  test::LossyVfs vfs_{"row_clock"};
  std::unique_ptr<Database> database_;
};

TEST_F(RowClockTest, OutgoingMessagesFollowAClockThatIsSet) {
  RowClock rows(clock_);
  const Monotonic due = clock_.now() + kHour;
  ASSERT_TRUE(
      OutgoingInsert(*database_)
          .run({.alias = "a", .topic = "up", .qos = 1, .kept = clock_.wall(), .expires = due},
               rows));
  clock_.set_wall(kYear);
  ASSERT_TRUE(follow(rows));
  Statement query(*database_, fmt::format("SELECT {} FROM outgoing", kOutgoingColumns));
  ASSERT_TRUE(query.step());
  const OutgoingMessage message = outgoing_of(query, rows);
  EXPECT_EQ(message.expires, due);
  EXPECT_EQ(to_ms(message.kept), to_ms(clock_.wall()));
}

TEST_F(RowClockTest, RowsFollowAClockThatIsSet) {
  for (const auto by : {kYear, -kYear - kHour}) {
    SCOPED_TRACE(by.count());
    ASSERT_TRUE(database_->execute("DELETE FROM message"));
    RowClock rows(clock_);
    const Monotonic due = clock_.now() + kHour;
    add(rows, due);
    clock_.set_wall(by);
    EXPECT_EQ(rows.time_of_row(of_row("expires_ms")), due) << "it is not seen yet";
    ASSERT_TRUE(follow(rows));
    EXPECT_EQ(of_row("received_ms"), to_ms(clock_.wall()));
    EXPECT_EQ(of_row("expires_ms"), to_ms(clock_.wall() + kHour));
    EXPECT_EQ(rows.time_of_row(of_row("expires_ms")), due);
    EXPECT_EQ(rows.row_time(due), of_row("expires_ms"));
  }
}

TEST_F(RowClockTest, AMessageThatDoesNotExpireKeepsTheTimeItCameAt) {
  RowClock rows(clock_);
  add(rows, std::nullopt);
  const std::int64_t received = of_row("received_ms");
  clock_.set_wall(kYear);
  ASSERT_TRUE(follow(rows));
  EXPECT_EQ(of_row("received_ms"), received);
}

TEST_F(RowClockTest, AClockThatDriftsIsNotOneThatIsSet) {
  RowClock rows(clock_);
  add(rows, clock_.now() + kHour);
  const std::int64_t expires = of_row("expires_ms");
  clock_.set_wall(Millis(999));
  ASSERT_TRUE(follow(rows));
  EXPECT_EQ(of_row("expires_ms"), expires);
  clock_.set_wall(Millis(1));
  ASSERT_TRUE(follow(rows));
  EXPECT_EQ(of_row("expires_ms"), expires + 1'000);
}

TEST_F(RowClockTest, RowsThatCannotFollowDoSoLater) {
  RowClock rows(clock_);
  const Monotonic due = clock_.now() + kHour;
  add(rows, due);
  clock_.set_wall(kYear);
  vfs_.fail_writes(SQLITE_FULL);
  EXPECT_FALSE(follow(rows));
  EXPECT_EQ(rows.time_of_row(of_row("expires_ms")), due);
  vfs_.fail_writes(SQLITE_OK);
  EXPECT_TRUE(follow(rows));
  EXPECT_EQ(rows.time_of_row(of_row("expires_ms")), due);
  EXPECT_EQ(of_row("expires_ms"), to_ms(clock_.wall() + kHour));
}

TEST_F(RowClockTest, NoMessageIsFromTheFutureWhenAFileIsOpened) {
  add(RowClock(clock_), clock_.now() + kHour);
  clock_.set_wall(-kYear);
  const RowClock rows(clock_);
  ASSERT_TRUE(rows.begin(*database_));
  EXPECT_EQ(of_row("received_ms"), to_ms(clock_.wall()));
  EXPECT_EQ(rows.time_of_row(of_row("expires_ms")), clock_.now() + kHour);
}

}  // namespace
}  // namespace triggerd::inbox
