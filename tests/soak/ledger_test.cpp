// That the soak test would see what it looks for.
#include "soak/ledger.hpp"

#include <fmt/format.h>
#include <gtest/gtest.h>
#include <sqlite3.h>

#include <fstream>

#include "support/sqlite_connection.hpp"
#include "support/temp_dir.hpp"

namespace triggerd::soak {
namespace {

class LedgerTest : public testing::Test {
 protected:
  void write(const std::string& text) {
    std::ofstream(dir_ / "records", std::ios::app | std::ios::binary) << text;
  }
  void call(const Numbered& m, const std::string& id, const std::string& verdict) {
    write(fmt::format("\n{} {} {} 1 {};\n", topic_of(m), m.number, id, verdict));
  }
  void dead_letter(const Numbered& m, const std::string& id, const std::string& payload) {
    sqlite3* database = nullptr;
    ASSERT_EQ(sqlite3_open((dir_ / "inbox.db").c_str(), &database), SQLITE_OK);
    std::string hex;
    for (const char byte : payload) hex += fmt::format("{:02x}", static_cast<unsigned char>(byte));
    const std::string sql = fmt::format(
        "CREATE TABLE IF NOT EXISTS dead_letter (number INTEGER PRIMARY KEY, message_id TEXT, "
        "topic TEXT, payload BLOB); INSERT INTO dead_letter (message_id, topic, payload) "
        "VALUES ('{}', '{}', x'{}')",
        id, topic_of(m), hex);
    EXPECT_EQ(sqlite3_exec(database, sql.c_str(), nullptr, nullptr, nullptr), SQLITE_OK);
    sqlite3_close(database);
  }
  void accepted(const std::string& table, const std::string& id) const {
    const test::SqliteConnection database((dir_ / "inbox.db").string());
    for (const char* name : {"message", "awaiting_pubrel"}) {
      ASSERT_EQ(
          database.run(fmt::format(
              "CREATE TABLE IF NOT EXISTS {} (message_id TEXT, qos INTEGER DEFAULT 2)", name)),
          SQLITE_OK);
    }
    ASSERT_EQ(database.run(fmt::format("INSERT INTO {} (message_id) VALUES ('{}')", table, id)),
              SQLITE_OK);
  }
  std::size_t missing(const Numbered& message) { return ledger_.missing({message}).size(); }

  test::TempDir dir_;
  Ledger ledger_{dir_ / "records"};
};

constexpr Numbered kOne{1, 3, 7};
constexpr Numbered kTwo{2, 3, 7};

TEST_F(LedgerTest, OnlyOkOrADeadLetterCounts) {
  for (const char* verdict : {"retry", "exception", "reject"}) call(kOne, "a", verdict);
  ledger_.read_records();
  EXPECT_EQ(missing(kOne), 1U);
  call(kOne, "a", "ok");
  dead_letter(kTwo, "b", payload_of(kTwo));
  ledger_.read_records();
  ledger_.read_dead_letters(dir_ / "inbox.db");
  EXPECT_EQ(missing(kOne), 0U);
  EXPECT_EQ(missing(kTwo), 0U);
  EXPECT_EQ(missing({1, 3, 8}), 1U);
  EXPECT_EQ(ledger_.totals().exceptions, 1U);
}

TEST_F(LedgerTest, ALineThatAKillCutOffIsNotACall) {
  write("\nsoak/1/3 7 a 1 o");
  ledger_.read_records();
  call(kTwo, "b", "ok");
  ledger_.read_records();
  EXPECT_EQ(missing(kOne), 1U);
  EXPECT_EQ(missing(kTwo), 0U);
  EXPECT_EQ(ledger_.totals().torn_lines, 1U);
}

TEST_F(LedgerTest, TwoMessageIdsOfOneProcessAreAcceptedTwice) {
  call(kOne, "run-A----1", "ok");
  call(kOne, "run-A----2", "ok");
  call(kTwo, "run-A----3", "retry");
  call(kTwo, "run-A----3", "ok");
  call(kTwo, "run-A----3", "ok");
  ledger_.read_records();
  EXPECT_EQ(ledger_.accepted_twice().size(), 0U);
  EXPECT_EQ(ledger_.totals().handled_again[1], 1U);
  EXPECT_EQ(ledger_.totals().handled_again[2], 1U);
  dead_letter(kTwo, "run-A----4", payload_of(kTwo));
  ledger_.read_dead_letters(dir_ / "inbox.db");
  EXPECT_EQ(ledger_.accepted_twice().size(), 1U);
}

TEST_F(LedgerTest, WhatTheInboxHadWhenItsProcessWasKilledIsNotTakenAgain) {
  const Numbered written{2, 3, 8};
  const Numbered kept{2, 3, 9};
  call(kTwo, "run-A----1", "ok");
  call(written, "run-A----2", "ok");
  call(kept, "run-A----3", "ok");
  accepted("awaiting_pubrel", "run-A----2");
  accepted("message", "run-A----3");
  ledger_.read_accepted(dir_ / "inbox.db");
  call(kTwo, "run-B----1", "ok");
  call(written, "run-A----2", "ok");
  call(kept, "run-A----3", "ok");
  ledger_.read_records();
  EXPECT_EQ(ledger_.accepted_twice().size(), 0U) << "the first one was not written yet";
  EXPECT_EQ(ledger_.totals().taken_again, 1U);

  call(written, "run-B----2", "ok");
  ledger_.read_records();
  EXPECT_EQ(ledger_.accepted_twice().size(), 1U);
  call(kept, "run-C----1", "ok");
  ledger_.read_records();
  EXPECT_EQ(ledger_.accepted_twice().size(), 2U);
}

TEST_F(LedgerTest, AChangedPayloadIsSeen) {
  std::string payload = payload_of(kTwo);
  payload.back() = static_cast<char>(payload.back() + 1);
  EXPECT_FALSE(read_message(topic_of(kTwo), payload));
  EXPECT_FALSE(read_message(topic_of(kOne), payload_of(kTwo)));
  dead_letter(kTwo, "a", payload);
  ledger_.read_dead_letters(dir_ / "inbox.db");
  EXPECT_EQ(ledger_.corrupt().size(), 1U);
  EXPECT_EQ(missing(kTwo), 1U);
}

TEST_F(LedgerTest, AnInboxThatCannotBeReadIsAnError) {
  EXPECT_THROW(ledger_.read_dead_letters(dir_ / "none.db"), std::runtime_error);
  EXPECT_THROW(ledger_.read_accepted(dir_ / "none.db"), std::runtime_error);
}

}  // namespace
}  // namespace triggerd::soak
