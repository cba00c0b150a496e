#include "support/lossy_vfs.hpp"

#include <gtest/gtest.h>
#include <sqlite3.h>

#include <atomic>
#include <optional>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include "support/sqlite_connection.hpp"

namespace triggerd::test {
namespace {

using Rows = SqliteConnection::Rows;

class LossyVfsTest : public testing::Test {
 protected:
  LossyVfsTest() {
    const SqliteConnection setup("any words", "lossy");
    EXPECT_EQ(setup.run("PRAGMA journal_mode = WAL; CREATE TABLE t(n INTEGER PRIMARY KEY)"),
              SQLITE_OK);
  }

  std::optional<SqliteConnection>& open(std::optional<SqliteConnection>& connection) {
    connection.emplace("any words", "lossy");
    connection->run("PRAGMA synchronous = FULL");
    return connection;
  }
  Rows numbers() {
    return SqliteConnection("any words", "lossy")
        .rows("SELECT n FROM t ORDER BY n")
        .value_or(Rows{"?"});
  }

  LossyVfs vfs_{"lossy"};
};

TEST_F(LossyVfsTest, IsAPlaceForFilesAndNothingElse) {
  EXPECT_NE(sqlite3_vfs_find("lossy"), nullptr);
  EXPECT_NE(sqlite3_vfs_find("lossy"), sqlite3_vfs_find(nullptr));
  EXPECT_THROW(LossyVfs("lossy"), std::logic_error);
  EXPECT_THROW(LossyVfs("unix"), std::logic_error);
  EXPECT_TRUE(vfs_.exists("any words"));
  EXPECT_FALSE(vfs_.exists("any words-wal"));  // closed in good order
  const LossyVfs other("other");
  EXPECT_FALSE(other.exists("any words"));
}

TEST_F(LossyVfsTest, EverythingFailsUntilThePowerIsBack) {
  std::optional<SqliteConnection> a;
  std::optional<SqliteConnection> b;
  open(a);
  open(b);
  ASSERT_EQ(a->run("INSERT INTO t VALUES(1)"), SQLITE_OK);
  ASSERT_EQ(a->run("BEGIN; INSERT INTO t VALUES(2)"), SQLITE_OK);
  vfs_.cut_power(1);
  EXPECT_FALSE(vfs_.powered());
  EXPECT_EQ(a->run("COMMIT"), SQLITE_IOERR);
  EXPECT_EQ(b->run("SELECT n FROM t"), SQLITE_IOERR);
  EXPECT_NE(SqliteConnection("any words", "lossy").run("SELECT n FROM t"), SQLITE_OK);
  EXPECT_NE(SqliteConnection("new", "lossy").run("CREATE TABLE t(n)"), SQLITE_OK);

  EXPECT_THROW(vfs_.restore_power(), std::logic_error);
  a.reset();
  EXPECT_THROW(vfs_.restore_power(), std::logic_error);
  b.reset();
  vfs_.restore_power();
  EXPECT_TRUE(vfs_.powered());
  EXPECT_EQ(numbers(), Rows{"1"});
  EXPECT_FALSE(vfs_.exists("new"));
}

// At each of its operations in turn. From the one behind its sync on, the commit is there to stay.
TEST_F(LossyVfsTest, CutsInTheMiddleOfACommit) {
  std::optional<SqliteConnection> connection;
  open(connection);
  ASSERT_EQ(connection->run("INSERT INTO t VALUES(0)"), SQLITE_OK);
  const std::size_t before = vfs_.operations();
  ASSERT_EQ(connection->run("INSERT INTO t VALUES(1)"), SQLITE_OK);
  const std::size_t whole = vfs_.operations() - before;
  ASSERT_GE(whole, 3U);  // a frame is two writes, and there is the sync

  int there = 0;
  int gone = 0;
  for (std::size_t at = 1; at <= whole + 1; ++at) {
    for (std::uint64_t seed = 0; seed < 20; ++seed) {
      connection.reset();
      // Something to commit, so that the log is begun and the commit has the operations counted.
      ASSERT_EQ(open(connection)->run("DELETE FROM t WHERE n > 0; REPLACE INTO t VALUES(0)"),
                SQLITE_OK);
      vfs_.cut_power_after(at, seed);
      const int code = connection->run("INSERT INTO t VALUES(1)");
      EXPECT_EQ(code, at <= whole ? SQLITE_IOERR : SQLITE_OK);
      EXPECT_EQ(vfs_.powered(), at > whole);
      vfs_.cut_power(seed);
      connection.reset();
      vfs_.restore_power();
      const Rows found = numbers();
      if (at > whole) {
        EXPECT_EQ(found, (Rows{"0", "1"}));
      } else {
        ASSERT_TRUE(found == Rows{"0"} || found == (Rows{"0", "1"}));
        ++(found.size() == 1 ? gone : there);
      }
    }
  }
  EXPECT_GT(there, 0);
  EXPECT_GT(gone, 0);
}

TEST_F(LossyVfsTest, APlannedCutCanBeCalledOff) {
  vfs_.cut_power_after(1, 1);
  vfs_.cut_power_after(0, 1);
  EXPECT_EQ(SqliteConnection("any words", "lossy").run("INSERT INTO t VALUES(1)"), SQLITE_OK);
  EXPECT_TRUE(vfs_.powered());
}

TEST_F(LossyVfsTest, WritesFailUntilToldOtherwise) {
  std::optional<SqliteConnection> connection;
  open(connection);
  for (const int code : {SQLITE_FULL, SQLITE_IOERR_WRITE}) {
    vfs_.fail_writes(code);
    for (int i = 0; i < 3; ++i) {
      EXPECT_EQ(connection->run("INSERT INTO t VALUES(1)"), code & 0xff);
      EXPECT_EQ(connection->extended_error(), code);
      EXPECT_EQ(connection->rows("SELECT n FROM t"), Rows{});
    }
  }
  vfs_.fail_writes(SQLITE_OK);
  EXPECT_EQ(connection->run("INSERT INTO t VALUES(1)"), SQLITE_OK);
  EXPECT_EQ(numbers(), Rows{"1"});
}

TEST_F(LossyVfsTest, SyncsFailUntilToldOtherwise) {
  std::optional<SqliteConnection> connection;
  open(connection);
  vfs_.fail_syncs(SQLITE_IOERR_FSYNC);
  for (int i = 0; i < 3; ++i) {
    EXPECT_EQ(connection->run("INSERT INTO t VALUES(1)"), SQLITE_IOERR);
    EXPECT_EQ(connection->extended_error(), SQLITE_IOERR_FSYNC);
  }
  vfs_.fail_syncs(SQLITE_OK);
  EXPECT_EQ(connection->run("INSERT INTO t VALUES(1)"), SQLITE_OK);
  vfs_.cut_power(3);
  connection.reset();
  vfs_.restore_power();
  EXPECT_EQ(numbers(), Rows{"1"});
}

TEST_F(LossyVfsTest, ConnectionsSeeTheirSnapshotsAndOneWrites) {
  for (const std::string mode : {"WAL", "DELETE"}) {
    std::optional<SqliteConnection> writer;
    std::optional<SqliteConnection> reader;
    ASSERT_EQ(open(writer)->rows("PRAGMA journal_mode = " + mode),
              Rows{mode == "WAL" ? "wal" : "delete"});
    ASSERT_EQ(writer->run("DELETE FROM t; INSERT INTO t VALUES(1)"), SQLITE_OK);
    open(reader);
    ASSERT_EQ(reader->run("BEGIN"), SQLITE_OK);
    ASSERT_EQ(reader->rows("SELECT n FROM t"), Rows{"1"});
    ASSERT_EQ(writer->run("BEGIN IMMEDIATE"), SQLITE_OK);
    EXPECT_EQ(SqliteConnection("any words", "lossy").run("BEGIN IMMEDIATE"), SQLITE_BUSY);
    ASSERT_EQ(writer->run("INSERT INTO t VALUES(2)"), SQLITE_OK);
    if (mode == "DELETE") {
      EXPECT_EQ(writer->run("COMMIT"), SQLITE_BUSY);  // the reader is in its way,
      EXPECT_EQ(SqliteConnection("any words", "lossy").run("SELECT n FROM t"), SQLITE_BUSY);
      EXPECT_EQ(reader->rows("SELECT n FROM t"), Rows{"1"});
      EXPECT_EQ(reader->run("COMMIT"), SQLITE_OK);  // and goes
    }
    EXPECT_EQ(writer->run("COMMIT"), SQLITE_OK);
    if (mode == "WAL") {
      EXPECT_EQ(reader->rows("SELECT n FROM t"), Rows{"1"});
      EXPECT_EQ(writer->rows("PRAGMA wal_checkpoint(TRUNCATE)")->front().front(), '1');  // busy
      EXPECT_EQ(reader->run("COMMIT"), SQLITE_OK);
      EXPECT_EQ(writer->rows("PRAGMA wal_checkpoint(TRUNCATE)"), Rows{"0|0|0"});
    }
    EXPECT_EQ(reader->rows("SELECT n FROM t"), (Rows{"1", "2"}));
  }
}

TEST_F(LossyVfsTest, ThreadsWithConnectionsOfTheirOwnTakeTurns) {
  constexpr int kThreads = 4;
  constexpr int kEach = 50;
  std::atomic<int> committed{0};
  std::vector<std::thread> threads;
  for (int thread = 0; thread < kThreads; ++thread) {
    threads.emplace_back([thread, &committed] {
      const SqliteConnection connection("any words", "lossy");
      connection.run("PRAGMA busy_timeout = 20000; PRAGMA wal_autocheckpoint = 10");
      for (int i = 0; i < kEach; ++i) {
        const std::string n = std::to_string(thread * kEach + i);
        // SQLite answers so at once, busy_timeout or not, while a connection that closes as the
        // last one removes the log.
        int code = SQLITE_BUSY;
        for (int tries = 0; code == SQLITE_BUSY && tries < 1000; ++tries) {
          code = connection.run("INSERT INTO t VALUES(" + n + ")");
        }
        if (code == SQLITE_OK) ++committed;
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(committed, kThreads * kEach);
  EXPECT_EQ(numbers().size(), static_cast<std::size_t>(kThreads * kEach));
}

TEST_F(LossyVfsTest, ACutHitsAllThreads) {
  std::atomic<int> committed{0};
  vfs_.cut_power_after(200, 7);
  std::vector<std::thread> threads;
  for (int thread = 0; thread < 3; ++thread) {
    threads.emplace_back([thread, &committed] {
      const SqliteConnection connection("any words", "lossy");
      connection.run("PRAGMA busy_timeout = 20000; PRAGMA synchronous = FULL");
      for (int i = 0;; ++i) {
        const std::string n = std::to_string(thread * 1000 + i);
        if (connection.run("INSERT INTO t VALUES(" + n + ")") != SQLITE_OK) return;
        ++committed;
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_FALSE(vfs_.powered());
  vfs_.restore_power();
  // One may have been in the middle of its commit.
  const auto found = static_cast<int>(numbers().size());
  EXPECT_GE(found, committed);
  EXPECT_LE(found, committed + 1);
}

TEST_F(LossyVfsTest, BigTransactionsSpillAndTemporaryFilesWork) {
  std::optional<SqliteConnection> connection;
  open(connection);
  ASSERT_EQ(connection->run("PRAGMA cache_size = 5; PRAGMA temp_store = FILE; CREATE TABLE b(x);"
                            "WITH RECURSIVE c(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM c LIMIT "
                            "2000) INSERT INTO b SELECT hex(randomblob(300)) FROM c"),
            SQLITE_OK);
  EXPECT_EQ(connection->rows("SELECT count(*) FROM (SELECT DISTINCT x FROM b ORDER BY x DESC)"),
            Rows{"2000"});
  EXPECT_EQ(connection->run("VACUUM"), SQLITE_OK);
  EXPECT_EQ(connection->rows("PRAGMA integrity_check"), Rows{"ok"});
}

}  // namespace
}  // namespace triggerd::test
