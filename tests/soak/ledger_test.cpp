// That the soak test would see what it looks for.
#include "soak/ledger.hpp"

#include <fmt/format.h>
#include <gtest/gtest.h>
#include <sqlite3.h>

#include <fstream>

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

TEST_F(LedgerTest, Qos2UnderTwoMessageIdsIsAcceptedTwice) {
  call(kOne, "a", "ok");
  call(kOne, "b", "ok");
  call(kTwo, "c", "retry");
  call(kTwo, "c", "ok");
  call(kTwo, "c", "ok");
  ledger_.read_records();
  EXPECT_EQ(ledger_.accepted_twice().size(), 0U);
  EXPECT_EQ(ledger_.totals().handled_again[1], 1U);
  EXPECT_EQ(ledger_.totals().handled_again[2], 1U);
  dead_letter(kTwo, "d", payload_of(kTwo));
  ledger_.read_dead_letters(dir_ / "inbox.db");
  EXPECT_EQ(ledger_.accepted_twice().size(), 1U);
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
}

}  // namespace
}  // namespace triggerd::soak
