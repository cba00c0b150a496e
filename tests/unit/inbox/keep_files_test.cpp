// The inbox's files are taken away while it has them open, and its clock is set.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <stdio.h>
#include <sys/stat.h>

#include <atomic>
#include <optional>
#include <thread>
#include <utility>

#include "base/state_dir.hpp"
#include "inbox/inbox_file.hpp"
#include "inbox/writer.hpp"
#include "support/eventually.hpp"
#include "support/fake_clock.hpp"
#include "support/sqlite_connection.hpp"
#include "support/temp_dir.hpp"

namespace triggerd::inbox {
namespace {

class TimedEntry : public Entry {
 public:
  TimedEntry(std::string id, std::optional<Monotonic> expires, Wall received)
      : id_(std::move(id)), expires_(expires), received_(received) {}
  bool wants_writing() const override { return !is_finished; }
  bool begin_write() override { return true; }
  MessageView view() const override {
    return {.trigger = "t",
            .message_id = id_,
            .topic = "plant/1",
            .payload = "x",
            .qos = 1,
            .received = received_,
            .expires = expires_};
  }
  void written(std::optional<std::int64_t>) override { is_written = true; }
  void not_written() override {}
  void flush_acknowledgement() override {}
  std::atomic<bool> is_written{false};
  std::atomic<bool> is_finished{false};

 private:
  const std::string id_;
  const std::optional<Monotonic> expires_;
  const Wall received_;
};

class KeepFilesTest : public testing::Test {
 protected:
  KeepFilesTest() {
    std::filesystem::create_directories(folder());
    open();
  }
  std::filesystem::path folder() const { return dir_ / "state"; }
  std::filesystem::path file(const char* part = "") const {
    return folder() / (std::string("inbox.db") + part);
  }
  void open(Millis grace = Millis(1)) {
    writer_.reset();
    inbox_.reset();
    inbox_ = Inbox::open(file(), {.vfs = {}, .set_aside = {}, .clock = &clock_}).value();
    writer_ = std::make_unique<Writer>(*inbox_,
                                       Writer::Options{.grace = grace,
                                                       .retry = Millis(10),
                                                       .look = Millis(10),
                                                       .mended =
                                                           [this](const std::string& what) {
                                                             const MutexLock lock(mutex_);
                                                             mended_ = what;
                                                           }},
                                       [this](const std::optional<std::string>& reason) {
                                         const MutexLock lock(mutex_);
                                         trouble_ = reason;
                                         if (reason) told_ += *reason + "\n";
                                       });
  }
  // Runs `steps` while nobody looks at the files.
  template <class Steps>
  void at_once(Steps&& steps) {
    const MutexLock lock(inbox_->file().mutex());
    std::forward<Steps>(steps)();
  }
  std::optional<std::string> trouble() const {
    const MutexLock lock(mutex_);
    return trouble_;
  }
  std::string mended() const {
    const MutexLock lock(mutex_);
    return mended_;
  }
  std::string told() const {
    const MutexLock lock(mutex_);
    return told_;
  }
  std::shared_ptr<TimedEntry> accept(const std::string& id, std::optional<Millis> expiry = {}) {
    auto entry = std::make_shared<TimedEntry>(
        id, expiry ? std::optional(clock_.now() + *expiry) : std::nullopt, clock_.wall());
    writer_->accept({entry});
    return entry;
  }
  void keep(const std::string& id, std::optional<Millis> expiry = {}) {
    const auto entry = accept(id, expiry);
    ASSERT_TRUE(test::eventually([&] { return entry->is_written.load(); })) << told();
  }
  // What somebody finds who opens the file at its name.
  std::vector<std::string> ids_at_name() const {
    const test::SqliteConnection other(file().string());
    return other.rows("SELECT message_id FROM message ORDER BY number")
        .value_or(std::vector<std::string>{"cannot be read"});
  }
  bool same_inode(ino_t inode) const {
    struct stat found {};
    return ::stat(file().c_str(), &found) == 0 && found.st_ino == inode;
  }
  using Ids = std::vector<std::string>;

  test::TempDir dir_;
  test::FakeClock clock_;
  mutable Mutex mutex_;
  std::optional<std::string> trouble_ TRIGGERD_GUARDED_BY(mutex_);
  std::string told_ TRIGGERD_GUARDED_BY(mutex_);
  std::string mended_ TRIGGERD_GUARDED_BY(mutex_);
  std::unique_ptr<Inbox> inbox_;
  std::unique_ptr<Writer> writer_;
};

// The thread that was to write it goes on to look after its files.
TEST_F(KeepFilesTest, AFileThatIsDeletedIsMissedAfterABatchThatCameToNothing) {
  keep("a");
  open(std::chrono::hours(1));
  for (int i = 0; i < 20; ++i) {
    accept("b")->is_finished = true;
    writer_->reconsider();
    std::this_thread::sleep_for(Millis(2));  // some of the times the thread sleeps
  }
  std::filesystem::remove(file());
  EXPECT_TRUE(test::eventually([&] { return !mended().empty(); }));
  EXPECT_EQ(ids_at_name(), Ids{"a"});
}

TEST_F(KeepFilesTest, AFileThatIsDeletedIsWrittenAgain) {
  keep("a");
  ASSERT_TRUE(inbox_->dead_letters().add({.message_id = "dead", .trigger = "t"}));
  std::filesystem::remove(file());
  keep("b");
  EXPECT_EQ(ids_at_name(), (Ids{"a", "b"}));
  EXPECT_EQ(mended(), file().string() + " is gone");
  EXPECT_EQ(inbox_->dead_letters().newest("", 10).value().size(), 1U);
  struct stat made {};
  ASSERT_EQ(::stat(file().c_str(), &made), 0);
  EXPECT_EQ(made.st_mode & 0777, 0600U);
  open();
  EXPECT_EQ(inbox_->messages().page("t", 0, 10).value().size(), 2U);
}

// Nobody writes anything, and it is seen all the same.
TEST_F(KeepFilesTest, TheWholeFolderIsWrittenAgain) {
  keep("a");
  std::error_code not_yet;  // while the writer puts back what has gone already
  do {
    not_yet.clear();
    std::filesystem::remove_all(folder(), not_yet);
  } while (not_yet == std::errc::directory_not_empty);
  ASSERT_FALSE(not_yet) << not_yet.message();
  EXPECT_TRUE(test::eventually([&] { return std::filesystem::exists(file()); })) << told();
  keep("b");
  EXPECT_EQ(ids_at_name(), (Ids{"a", "b"}));
  const auto second = StateDir::open(folder());
  ASSERT_FALSE(second) << "the new folder is locked as the old one was";
  EXPECT_EQ(second.error().failure, StateDir::Failure::locked);
}

TEST_F(KeepFilesTest, AFolderThatSomebodyElseUsesIsLeftAlone) {
  keep("a");
  std::optional<StateDir> other;
  at_once([&] {
    std::filesystem::rename(folder(), dir_ / "aside");
    other = StateDir::open(folder()).value();
  });
  ASSERT_TRUE(test::eventually([&] { return trouble().has_value(); }));
  EXPECT_NE(told().find("in use by another triggerd"), std::string::npos) << told();
  const auto waiting = accept("b");
  other.reset();
  EXPECT_TRUE(test::eventually([&] { return waiting->is_written && !trouble(); })) << told();
  EXPECT_EQ(ids_at_name(), (Ids{"a", "b"}));
}

TEST_F(KeepFilesTest, AnotherFileInItsPlaceIsTroubleUntilItIsMovedAway) {
  keep("a");
  at_once([this] {
    std::filesystem::rename(file(), dir_ / "moved");
    const test::SqliteConnection other(file().string());
    ASSERT_TRUE(other.rows("CREATE TABLE somebody (x)"));
  });
  EXPECT_FALSE(inbox_->figures()) << "they would be those of the other file";
  ASSERT_TRUE(test::eventually([&] { return trouble().has_value(); }));
  EXPECT_FALSE(inbox_->figures());
  EXPECT_NE(told().find("is another file than the open one"), std::string::npos) << told();
  const auto waiting = accept("b");
  ASSERT_FALSE(inbox_->dead_letters().add({.message_id = "c", .trigger = "t"}))
      << "it would be acknowledged, and nobody would find it";
  EXPECT_FALSE(waiting->is_written);
  std::filesystem::remove(file());
  EXPECT_TRUE(test::eventually([&] { return waiting->is_written && !trouble(); })) << told();
  EXPECT_EQ(ids_at_name(), (Ids{"a", "b"}));
}

// What is in the WAL would be read as a part of the other file, and be written into it.
TEST_F(KeepFilesTest, AnotherFileIsUsedByTheNextStartAsItIs) {
  keep("another's");
  writer_.reset();
  inbox_.reset();
  std::filesystem::rename(file(), dir_ / "another");
  for (const bool soon : {true, false}) {
    SCOPED_TRACE(soon ? "it is stopped before it has looked" : "it has looked");
    open();
    keep("a");
    if (soon) writer_.reset();
    at_once([this] {
      std::filesystem::rename(file(), dir_ / "moved");
      std::filesystem::copy_file(dir_ / "another", file());
    });
    EXPECT_FALSE(inbox_->figures());
    if (!soon) {
      ASSERT_TRUE(test::eventually([&] { return trouble().has_value(); }));
      EXPECT_TRUE(test::eventually([&] { return !std::filesystem::exists(file("-wal")); }));
    }
    writer_.reset();
    inbox_.reset();
    EXPECT_EQ(ids_at_name(), Ids{"another's"});
    const test::SqliteConnection moved((dir_ / "moved").string());
    EXPECT_EQ(moved.rows("SELECT message_id FROM message"), Ids{"a"});
    std::filesystem::remove(file());
  }
}

// Whoever brings back a copy of all three has done it well.
TEST_F(KeepFilesTest, TheWalOfAnotherFileIsLeftAlone) {
  keep("a");
  std::optional<test::SqliteConnection> other;
  at_once([&] {
    std::filesystem::rename(file(), dir_ / "moved");
    for (const char* part : {"-wal", "-shm"}) std::filesystem::rename(file(part), dir_ / part);
    other.emplace(file().string());
    ASSERT_TRUE(other->rows("PRAGMA journal_mode = WAL"));
    ASSERT_TRUE(other->rows("CREATE TABLE somebody (x)"));
  });
  ASSERT_TRUE(test::eventually([&] { return trouble().has_value(); }));
  writer_.reset();
  inbox_.reset();
  EXPECT_TRUE(std::filesystem::exists(file("-wal")));
  EXPECT_TRUE(other->rows("INSERT INTO somebody VALUES (1)"));
  EXPECT_EQ(other->rows("SELECT x FROM somebody"), Ids{"1"});
}

TEST_F(KeepFilesTest, TheFileItselfMayComeBack) {
  keep("a");
  struct stat before {};
  ASSERT_EQ(::stat(file().c_str(), &before), 0);
  std::optional<StateDir> other;
  at_once([&] {
    std::filesystem::rename(folder(), dir_ / "aside");
    other = StateDir::open(folder()).value();
  });
  ASSERT_TRUE(test::eventually([&] { return trouble().has_value(); }));
  ASSERT_EQ(
      ::renameat2(AT_FDCWD, (dir_ / "aside").c_str(), AT_FDCWD, folder().c_str(), RENAME_EXCHANGE),
      0);
  EXPECT_TRUE(test::eventually([&] { return !trouble(); })) << told();
  keep("b");
  EXPECT_EQ(ids_at_name(), (Ids{"a", "b"}));
}

TEST_F(KeepFilesTest, AWalThatIsDeletedCostsNothing) {
  keep("a");
  for (const char* part : {"-wal", "-shm"}) {
    std::filesystem::remove(file(part));
    keep(part);
  }
  EXPECT_EQ(ids_at_name(), (Ids{"a", "-wal", "-shm"}));
  // As after a crash: nothing but what has a name is left.
  const std::filesystem::path copy = dir_ / "copy.db";
  for (const char* part : {"", "-wal"}) {
    std::filesystem::copy_file(file(part), copy.string() + part);
  }
  const test::SqliteConnection other(copy.string());
  EXPECT_EQ(other.rows("SELECT COUNT(*) FROM message"), Ids{"3"});
}

// An empty one would stand in the way of the one that is written again.
TEST_F(KeepFilesTest, WhoeverReadsMakesNoFile) {
  keep("a");
  writer_.reset();
  std::filesystem::remove(file());
  EXPECT_FALSE(inbox_->figures());
  EXPECT_FALSE(inbox_->dead_letters().newest("", 10));
  EXPECT_FALSE(std::filesystem::exists(file()));
}

// ---- The clock ----

TEST_F(KeepFilesTest, AMessageExpiresByTheTimeThatPassesAndNotByTheClock) {
  constexpr auto kHour = std::chrono::hours(1);
  keep("a", kHour);
  const Monotonic due = clock_.now() + kHour;
  for (const auto by : {24 * 365 * kHour, -24 * 365 * kHour - 2 * kHour}) {
    clock_.set_wall(by);
    // Both before and after it was seen that the clock was set.
    EXPECT_EQ(inbox_->messages().page("t", 0, 1).value().at(0).expires, due);
    keep("later", kHour);
    EXPECT_EQ(inbox_->messages().page("t", 0, 1).value().at(0).expires, due);
  }
  // And over a restart, since the rows have followed.
  open();
  EXPECT_EQ(inbox_->messages().page("t", 0, 1).value().at(0).expires, due);
}

TEST_F(KeepFilesTest, RowsThatCannotFollowTheClockKeepNobodyFromWriting) {
  constexpr auto kHour = std::chrono::hours(1);
  keep("a", kHour);
  const Monotonic due = clock_.now() + kHour;
  ASSERT_EQ(test::SqliteConnection(file().string())
                .run("CREATE TRIGGER refuses BEFORE UPDATE ON message"
                     " BEGIN SELECT RAISE(ABORT, 'no'); END"),
            SQLITE_OK);
  clock_.set_wall(24 * 365 * kHour);
  keep("later", kHour);
  EXPECT_EQ(inbox_->messages().page("t", 0, 1).value().at(0).expires, due);
  EXPECT_EQ(inbox_->messages().page("t", 1, 1).value().at(0).expires, due);
  EXPECT_FALSE(trouble()) << told();
}

TEST_F(KeepFilesTest, AClockThatIsSetBackBetweenTwoRunsGivesNobodyMoreTime) {
  constexpr auto kHour = std::chrono::hours(1);
  keep("a", kHour);
  writer_.reset();
  inbox_.reset();
  clock_.set_wall(-24 * 365 * kHour);
  open();
  const auto expires = inbox_->messages().page("t", 0, 1).value().at(0).expires;
  EXPECT_LE(expires, clock_.now() + kHour);
  EXPECT_GT(expires, clock_.now());
}

}  // namespace
}  // namespace triggerd::inbox
