// Power cut after power cut, under a database whose owner was promised something.
#include <gtest/gtest.h>
#include <sqlite3.h>

#include <algorithm>
#include <optional>
#include <random>
#include <string>

#include "support/lossy_vfs.hpp"
#include "support/sqlite_connection.hpp"

namespace triggerd::test {
namespace {

using Rows = SqliteConnection::Rows;

// The whole content of the database follows from one number: how many transactions it has seen.
constexpr int kRows = 16;
constexpr int kEmpty = -1;  // not even set up

std::string body(int n) {
  return std::string(static_cast<std::size_t>(1 + n * 977 % 3000), static_cast<char>('a' + n % 26));
}

std::string transaction(int n) {
  if (n == 0) {
    return "BEGIN IMMEDIATE; CREATE TABLE entry(id INTEGER PRIMARY KEY, body TEXT);"
           "CREATE TABLE seen(n INTEGER); INSERT INTO seen VALUES(0); COMMIT";
  }
  const std::string id = std::to_string(n);
  return "BEGIN IMMEDIATE; INSERT INTO entry VALUES(" + id + ", '" + body(n) +
         "'); DELETE FROM entry WHERE id <= " + std::to_string(n - kRows) +
         "; UPDATE seen SET n = " + id + "; COMMIT";
}

// How many transactions it has seen. nullopt: its content is that of no moment, or unreadable.
std::optional<int> seen(const SqliteConnection& connection) {
  if (connection.rows("PRAGMA integrity_check") != Rows{"ok"}) return std::nullopt;
  if (connection.rows("SELECT count(*) FROM sqlite_master") == Rows{"0"}) return kEmpty;
  const auto row = connection.rows("SELECT n FROM seen");
  if (!row || row->size() != 1) return std::nullopt;
  const int n = std::stoi(row->front());
  Rows expected;
  for (int id = std::max(1, n - kRows + 1); id <= n; ++id) {
    expected.push_back(std::to_string(id) + "|" + body(id));
  }
  return connection.rows("SELECT id, body FROM entry ORDER BY id") == expected ? std::optional(n)
                                                                               : std::nullopt;
}

struct Ordeal {
  std::string synchronous;  // "mixed": NORMAL and FULL by turns
  std::string journal_mode = "WAL";
  std::size_t sector_size = 4096;
  bool syncs_fail = false;  // now and then
  int cuts = 1000;
};

struct Outcome {
  int unsynced = 0;      // cuts that lost something unsynced
  int looks = 0;         // at a database after a cut or after closing it
  int losses = 0;        // looks that missed a transaction whose COMMIT had returned SQLITE_OK
  int damages = 0;       // looks that found no moment's content
  int failures = 0;      // commits that failed, and were undone, with the power on
  int transactions = 0;  // that were committed
};

// The cuts are anywhere: in opening, recovery, the first transaction, commits, checkpoints, closes.
class Endurance {
 public:
  explicit Endurance(Ordeal ordeal) : ordeal_(std::move(ordeal)) {}

  Outcome run() {
    constexpr int kCutsPerDisk = 40;
    for (int cut = 0; cut < ordeal_.cuts; ++cut) {
      if (cut % kCutsPerDisk == 0 || damaged_) begin_disk();
      vfs_->cut_power_after(1 + random_() % 300, random_());
      while (vfs_->powered()) use();
      if (vfs_->loss().any()) ++outcome_.unsynced;
      vfs_->restore_power();
    }
    return outcome_;
  }

 private:
  void begin_disk() {
    vfs_.emplace("endurance", ordeal_.sector_size);
    promised_ = committed_ = begun_ = kEmpty;
    damaged_ = false;
  }

  // Opens the database, looks at it, commits to it, closes it, until the power is gone.
  void use() {
    const SqliteConnection connection("inbox.db", vfs_->name().c_str());
    connection.run("PRAGMA journal_mode = " + ordeal_.journal_mode +
                   "; PRAGMA wal_autocheckpoint = 20");
    const std::optional<int> found = seen(connection);
    if (!vfs_->powered()) return;
    ++outcome_.looks;
    if (!found || *found > begun_) {
      ++outcome_.damages;
      vfs_->cut_power(0);
      damaged_ = true;
      return;
    }
    if (*found < promised_) ++outcome_.losses;
    promised_ = std::min(promised_, *found);
    committed_ = *found;
    for (std::size_t left = random_() % 40; left > 0 && vfs_->powered(); --left) commit(connection);
    vfs_->fail_syncs(SQLITE_OK);
  }

  void commit(const SqliteConnection& connection) {
    const bool mixed = ordeal_.synchronous == "mixed";
    const bool promise = !mixed || random_() % 2 == 0;
    const std::string by_turns = promise ? "FULL" : "NORMAL";
    connection.run("PRAGMA synchronous = " + (mixed ? by_turns : ordeal_.synchronous));
    if (ordeal_.syncs_fail) {
      vfs_->fail_syncs(random_() % 8 == 0 ? SQLITE_IOERR_FSYNC : SQLITE_OK);
    }
    begun_ = committed_ + 1;
    if (connection.run(transaction(begun_)) == SQLITE_OK) {
      committed_ = begun_;
      if (promise) promised_ = committed_;
      ++outcome_.transactions;
    } else if (vfs_->powered()) {
      ++outcome_.failures;
      connection.run("ROLLBACK");
      EXPECT_EQ(seen(connection), committed_);
    }
  }

  const Ordeal ordeal_;
  std::optional<LossyVfs> vfs_;
  std::mt19937_64 random_{1883};
  Outcome outcome_;
  bool damaged_ = false;
  int promised_ = kEmpty;   // has to be found
  int committed_ = kEmpty;  // the latest that was
  int begun_ = kEmpty;      // may be found
};

Outcome endure(const Ordeal& ordeal) {
  const Outcome outcome = Endurance(ordeal).run();
  // A simulator that loses nothing proves nothing.
  EXPECT_GT(outcome.unsynced, ordeal.cuts / 2);
  EXPECT_GT(outcome.looks, ordeal.cuts / 2);
  EXPECT_GT(outcome.transactions, ordeal.cuts);
  if (!ordeal.syncs_fail) {
    EXPECT_EQ(outcome.failures, 0);
  }
  return outcome;
}

TEST(LossyVfsEndurance, FullKeepsEveryCommit) {
  const Outcome outcome = endure({.synchronous = "FULL", .cuts = 1200});
  EXPECT_EQ(outcome.losses, 0);
  EXPECT_EQ(outcome.damages, 0);
}

TEST(LossyVfsEndurance, FullKeepsEveryCommitOnSmallSectors) {
  const Outcome outcome = endure({.synchronous = "FULL", .sector_size = 512, .cuts = 400});
  EXPECT_EQ(outcome.losses, 0);
  EXPECT_EQ(outcome.damages, 0);
}

TEST(LossyVfsEndurance, FullMakesTheNormalCommitsBeforeItDurable) {
  const Outcome outcome = endure({.synchronous = "mixed"});
  EXPECT_EQ(outcome.losses, 0);
  EXPECT_EQ(outcome.damages, 0);
}

TEST(LossyVfsEndurance, FullKeepsEveryCommitWhereOthersFailToSync) {
  const Outcome outcome = endure({.synchronous = "FULL", .syncs_fail = true, .cuts = 600});
  EXPECT_GT(outcome.failures, 100);
  EXPECT_EQ(outcome.losses, 0);
  EXPECT_EQ(outcome.damages, 0);
}

TEST(LossyVfsEndurance, NormalLosesCommitsAndNothingElse) {
  const Outcome outcome = endure({.synchronous = "NORMAL"});
  EXPECT_GT(outcome.losses, 100);
  EXPECT_EQ(outcome.damages, 0);
}

TEST(LossyVfsEndurance, OffDamagesDatabases) {
  const Outcome outcome = endure({.synchronous = "OFF", .cuts = 300});
  EXPECT_GT(outcome.losses, 20);
  EXPECT_GT(outcome.damages, 20);
}

// The commit is the removal of the journal, and only EXTRA syncs the folder after that.
TEST(LossyVfsEndurance, RollbackJournalsNeedExtra) {
  const Outcome full = endure({.synchronous = "FULL", .journal_mode = "DELETE", .cuts = 300});
  EXPECT_GT(full.losses, 20);
  EXPECT_EQ(full.damages, 0);
  const Outcome extra = endure({.synchronous = "EXTRA", .journal_mode = "DELETE", .cuts = 300});
  EXPECT_EQ(extra.losses, 0);
  EXPECT_EQ(extra.damages, 0);
}

}  // namespace
}  // namespace triggerd::test
