// The inbox on a volume that is too small for it, and beside a program that reads it for long.
#include "inbox/volume.hpp"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <atomic>
#include <filesystem>
#include <fstream>

#include "inbox/writer.hpp"
#include "support/eventually.hpp"
#include "support/small_disk.hpp"
#include "support/sqlite_connection.hpp"
#include "support/temp_dir.hpp"

namespace triggerd::inbox {
namespace {

constexpr std::size_t kVeryMany = 1'000'000;
constexpr std::uint64_t kMiB = 1U << 20;

class StoredEntry : public Entry {
 public:
  explicit StoredEntry(std::size_t size) : payload_(size, 'x') {}
  bool wants_writing() const override { return true; }
  bool begin_write() override { return true; }
  MessageView view() const override {
    return {.trigger = "t", .message_id = "id", .topic = "plant/1", .payload = payload_, .qos = 1};
  }
  void written(std::optional<std::int64_t> row) override { number = row.value_or(-1); }
  void not_written() override {}
  void flush_acknowledgement() override {}

  std::atomic<std::int64_t> number{0};  // 0: not yet

 private:
  const std::string payload_;
};

class VolumeTest : public testing::Test {
 protected:
  void on_disk_of(unsigned mebibytes, std::uint64_t max_size = 1024 * kMiB) {
    test::enter_private_mounts();
    disk_ = std::make_unique<test::SmallDisk>(dir_ / "state", mebibytes);
    open(dir_ / "state", max_size);
  }
  void open(const std::filesystem::path& folder, std::uint64_t max_size) {
    folder_ = folder;
    auto opened = Inbox::open(folder / "inbox.db");
    ASSERT_TRUE(opened) << opened.error().message;
    inbox_ = std::move(*opened);
    writer_ = std::make_unique<Writer>(*inbox_,
                                       Writer::Options{.sync_to_disk = false,
                                                       .max_size = max_size,
                                                       .grace = Millis(0),
                                                       .retry = Millis(10),
                                                       .look = Millis(10)},
                                       [this](const std::optional<std::string>& reason) {
                                         const MutexLock lock(mutex_);
                                         trouble_ = reason;
                                         if (reason) told_.push_back(*reason);
                                       });
  }
  std::optional<std::string> trouble() const {
    const MutexLock lock(mutex_);
    return trouble_;
  }
  std::string told() const {
    const MutexLock lock(mutex_);
    return fmt::format("{}", fmt::join(told_, "\n"));
  }
  std::shared_ptr<StoredEntry> accept(std::size_t size) {
    auto entry = std::make_shared<StoredEntry>(size);
    writer_->accept({entry});
    return entry;
  }
  // A few at a time, until the inbox says that it takes no more. What it has not written by then is
  // left to it.
  std::vector<std::shared_ptr<StoredEntry>> fill(std::size_t size) {
    std::vector<std::shared_ptr<StoredEntry>> accepted;
    while (!trouble() && accepted.size() < kVeryMany) {
      for (std::size_t bytes = 0; bytes < 60'000; bytes += size) accepted.push_back(accept(size));
      if (!test::eventually([&] { return accepted.back()->number != 0 || trouble(); })) break;
    }
    return accepted;
  }
  // Finishes all that are written, and those that are meanwhile.
  void finish(std::vector<std::shared_ptr<StoredEntry>> accepted) {
    ASSERT_TRUE(test::eventually([&] {
      std::erase_if(accepted, [&](const auto& entry) {
        if (entry->number == 0) return false;
        writer_->remove(entry->number);
        return true;
      });
      return accepted.empty();
    })) << accepted.size()
        << " are not written; " << told();
  }
  bool empty() {
    const auto left = inbox_->messages().counts();
    return left && left->empty();
  }
  std::uint64_t wal() const { return std::filesystem::file_size(folder_ / "inbox.db-wal"); }

  test::TempDir dir_;
  std::filesystem::path folder_;
  std::unique_ptr<test::SmallDisk> disk_;
  mutable Mutex mutex_;
  std::optional<std::string> trouble_ TRIGGERD_GUARDED_BY(mutex_);
  std::vector<std::string> told_ TRIGGERD_GUARDED_BY(mutex_);
  std::unique_ptr<Inbox> inbox_;
  std::unique_ptr<Writer> writer_;
};

// Again and again, with what is left of the time before.
TEST_F(VolumeTest, AnInboxThatFillsItsVolumeComesOutOfItByItself) {
  on_disk_of(1);
  for (const std::size_t size : {100U, 3'000U, 20'000U, 100U}) {
    const auto accepted = fill(size);
    ASSERT_TRUE(trouble().has_value());
    EXPECT_GT(accepted.size() * size, 50'000U) << "a good part of the volume can be used";
    finish(accepted);
    EXPECT_TRUE(test::eventually([&] { return !trouble() && empty(); })) << told();
  }
  EXPECT_EQ(told().find("database or disk is full"), std::string::npos) << told();
}

TEST_F(VolumeTest, LargeMessagesFindRoomAfterManySmallOnes) {
  on_disk_of(16);
  for (const std::size_t size : {2'000U, 1'500'000U, 2'000U}) {
    const auto accepted = fill(size);
    ASSERT_TRUE(trouble().has_value());
    finish(accepted);
    EXPECT_TRUE(test::eventually([&] { return !trouble() && empty(); })) << told();
  }
}

TEST_F(VolumeTest, RemovalsFindRoomWhereOthersHaveFilledTheVolume) {
  on_disk_of(8);
  std::vector<std::shared_ptr<StoredEntry>> accepted;
  for (int i = 0; i < 500; ++i) accepted.push_back(accept(3'000));
  ASSERT_TRUE(test::eventually([&] { return accepted.back()->number != 0; }));
  disk_->fill();
  ASSERT_TRUE(test::eventually([&] { return trouble().has_value(); }));
  finish(accepted);
  EXPECT_TRUE(test::eventually([&] { return empty(); })) << told();
  const auto late = accept(3'000);
  disk_->free();
  EXPECT_TRUE(test::eventually([&] { return !trouble(); })) << told();
  EXPECT_TRUE(test::eventually([&] { return late->number > 0; }));
}

// Others keep what they have taken, and nothing waits to be written, since receiving pauses.
TEST_F(VolumeTest, AFileThatIsMostlyFreeGivesItsRoomBackToAFullVolume) {
  on_disk_of(8);
  std::vector<std::shared_ptr<StoredEntry>> accepted;
  for (int i = 0; i < 500; ++i) accepted.push_back(accept(3'000));
  ASSERT_TRUE(writer_->flush(std::chrono::steady_clock::now() + test::kPatience));
  ASSERT_TRUE(test::SqliteConnection((folder_ / "inbox.db").string())
                  .rows("PRAGMA wal_checkpoint(TRUNCATE)"));
  disk_->fill();
  finish(accepted);
  EXPECT_TRUE(test::eventually([&] { return empty(); })) << told();
  EXPECT_TRUE(test::eventually([&] { return !trouble(); })) << told();
  const auto late = accept(3'000);
  EXPECT_TRUE(test::eventually([&] { return late->number > 0; })) << told();
}

// It is what the reserve needs, and nothing is written meanwhile.
TEST_F(VolumeTest, AWalThatAReaderHasHeldOnAFullVolumeIsGivenBack) {
  constexpr std::uint64_t kPortion = 8 * kMiB / 64;
  on_disk_of(8);
  std::vector<std::shared_ptr<StoredEntry>> accepted;
  for (int i = 0; i < 100; ++i) accepted.push_back(accept(2'000));
  ASSERT_TRUE(writer_->flush(std::chrono::steady_clock::now() + test::kPatience));
  auto reader = std::make_unique<test::SqliteConnection>((folder_ / "inbox.db").string());
  ASSERT_TRUE(reader->rows("PRAGMA wal_checkpoint(TRUNCATE)"));
  ASSERT_TRUE(reader->rows("BEGIN; SELECT COUNT(*) FROM message"));
  for (std::uint32_t attempts = 1; wal() < 3 * kPortion; ++attempts) {
    for (std::size_t i = 0; i < 10; ++i) writer_->note_attempts(accepted[i]->number, attempts);
    ASSERT_TRUE(writer_->flush(std::chrono::steady_clock::now() + test::kPatience));
  }
  ASSERT_LT(wal(), 4 * kPortion) << "more would be given back in any case";
  disk_->fill();
  writer_->remove(accepted[50]->number);
  ASSERT_TRUE(writer_->flush(std::chrono::steady_clock::now() + test::kPatience));
  const auto reserved = [this] { return std::filesystem::exists(folder_ / "inbox.reserve"); };
  ASSERT_FALSE(reserved()) << "the removal took its room from it";
  ASSERT_TRUE(trouble().has_value());
  reader.reset();
  EXPECT_TRUE(test::eventually(reserved)) << told();
  disk_->free();
  EXPECT_TRUE(test::eventually([&] { return !trouble(); })) << told();
}

// What is in it has to go to the file first, which becomes larger by it.
TEST_F(VolumeTest, AWalThatIsGoneIsMadeAnewFromTheReserveOfAFullVolume) {
  on_disk_of(8);
  ASSERT_TRUE(writer_->flush(std::chrono::steady_clock::now() + test::kPatience));
  ASSERT_TRUE(test::SqliteConnection((folder_ / "inbox.db").string())
                  .rows("PRAGMA wal_checkpoint(TRUNCATE)"));
  const auto kept = accept(60'000);
  ASSERT_TRUE(test::eventually([&] { return kept->number != 0; }));
  disk_->fill();
  std::filesystem::remove(folder_ / "inbox.db-wal");
  writer_->remove(kept->number);
  EXPECT_TRUE(test::eventually([&] { return empty(); })) << told();
  disk_->free();
  EXPECT_TRUE(test::eventually([&] { return !trouble(); })) << told();
}

// Nothing else is written meanwhile, and so nothing else shows that there is room again.
TEST_F(VolumeTest, AMessageThatWaitsForRoomIsWrittenOnceOthersHaveMadeSome) {
  on_disk_of(8);
  disk_->fill();
  ASSERT_TRUE(test::eventually([&] { return trouble().has_value(); }));
  const auto waiting = accept(100'000);
  ASSERT_FALSE(writer_->flush(std::chrono::steady_clock::now() + Millis(50)));
  disk_->free();
  EXPECT_TRUE(test::eventually([&] { return waiting->number > 0 && !trouble(); })) << told();
}

// The reserve needs what the WAL has, and nothing else is written meanwhile.
TEST_F(VolumeTest, TheWalIsGivenBackForTheReserveWhileAMessageWaits) {
  on_disk_of(8);
  // In one transaction, so that the WAL has all of them.
  std::vector<EntryPtr> entries;
  for (int i = 0; i < 90; ++i) entries.push_back(std::make_shared<StoredEntry>(3'000));
  writer_->accept(std::move(entries));
  ASSERT_TRUE(writer_->flush(std::chrono::steady_clock::now() + test::kPatience));
  const std::uint64_t had = wal();
  ASSERT_GT(had, 300'000U);
  const auto left = [&](std::uint64_t bytes) {
    std::ofstream(disk_->path() / "other", std::ios::app)
        << std::string(disk_->available() - bytes, 'x') << std::flush;
  };
  left(100'000);
  ASSERT_TRUE(test::eventually([&] { return trouble().has_value(); }));
  const auto waiting = accept(100'000);
  ASSERT_FALSE(writer_->flush(std::chrono::steady_clock::now() + Millis(50)));
  const std::filesystem::path reserve = folder_ / Volume::kReserve;
  std::filesystem::remove(reserve);
  EXPECT_TRUE(test::eventually([&] { return std::filesystem::exists(reserve); })) << told();
  EXPECT_LT(wal(), had);
  EXPECT_EQ(waiting->number, 0);
}

// It has the reserve, and finds the volume full all the same.
TEST_F(VolumeTest, ANewProcessOnAFullVolumeGoesOnOnceOthersHaveMadeRoom) {
  on_disk_of(8);
  ASSERT_TRUE(writer_->flush(std::chrono::steady_clock::now() + test::kPatience));
  writer_.reset();
  inbox_.reset();
  disk_->fill();
  open(folder_, 1024 * kMiB);
  const auto waiting = accept(100'000);
  ASSERT_TRUE(test::eventually([&] { return trouble().has_value(); }));
  ASSERT_FALSE(writer_->flush(std::chrono::steady_clock::now() + Millis(50)));
  disk_->free();
  EXPECT_TRUE(test::eventually([&] { return waiting->number > 0 && !trouble(); })) << told();
}

TEST_F(VolumeTest, WhatItMayHoldIsNoMoreThanTheVolumeHas) {
  on_disk_of(16);
  EXPECT_LT(writer_->limit(), 16 * kMiB);
  EXPECT_GT(writer_->limit(), 4 * kMiB);
}

TEST_F(VolumeTest, AReaderDoesNotKeepTheWalGrowingWithoutBound) {
  constexpr std::uint64_t kMaxSize = 20 * kMiB;
  open(dir_.path(), kMaxSize);
  std::vector<std::shared_ptr<StoredEntry>> accepted;
  for (int i = 0; i < 200; ++i) accepted.push_back(accept(2'000));
  ASSERT_TRUE(test::eventually([&] { return accepted.back()->number != 0; }));
  auto reader = std::make_unique<test::SqliteConnection>((folder_ / "inbox.db").string());
  ASSERT_TRUE(reader->rows("BEGIN; SELECT COUNT(*) FROM message"));
  // Attempts of messages that fail all the time.
  std::uint32_t attempts = 0;
  const auto attempt = [&] {
    ++attempts;
    for (const auto& entry : accepted) writer_->note_attempts(entry->number, attempts);
    (void)writer_->flush(std::chrono::steady_clock::now() + Millis(20));
  };
  for (int i = 0; i < 1'000 && !trouble(); ++i) attempt();
  ASSERT_TRUE(trouble().has_value()) << wal();
  EXPECT_NE(told().find("reads inbox.db"), std::string::npos) << told();
  const std::uint64_t bound = wal();
  EXPECT_LT(bound, kMaxSize);
  for (int i = 0; i < 20; ++i) attempt();
  EXPECT_LE(wal(), bound) << "what can wait does";
  // Messages that are finished do not wait.
  const std::int64_t first = accepted.front()->number;
  writer_->remove(first);
  EXPECT_TRUE(test::eventually(
      [&] { return inbox_->messages().page("t", 0, 1).value()[0].number != first; }));

  reader.reset();
  EXPECT_TRUE(test::eventually([&] { return !trouble(); })) << told();
  EXPECT_TRUE(test::eventually([&] { return wal() < bound / 2; })) << wal();
  EXPECT_TRUE(test::eventually(
      [&] { return inbox_->messages().page("t", 0, 1).value()[0].attempts == attempts; }));
}

TEST_F(VolumeTest, TheWalOfALargeBatchIsGivenBack) {
  open(dir_.path(), 1024 * kMiB);
  std::vector<EntryPtr> batch;
  for (int i = 0; i < 60; ++i) batch.push_back(std::make_shared<StoredEntry>(kMiB));
  writer_->accept(std::move(batch));
  ASSERT_TRUE(writer_->flush(std::chrono::steady_clock::now() + test::kPatience));
  EXPECT_TRUE(test::eventually([&] { return wal() < 20 * kMiB; })) << wal();
}

TEST_F(VolumeTest, TheWalCountsAgainstMaxSize) {
  open(dir_.path(), 20 * kMiB);
  test::SqliteConnection reader((folder_ / "inbox.db").string());
  const auto before = accept(100);
  ASSERT_TRUE(test::eventually([&] { return before->number != 0; }));
  ASSERT_TRUE(reader.rows("BEGIN; SELECT COUNT(*) FROM message"));
  std::vector<EntryPtr> batch;
  for (int i = 0; i < 11; ++i) batch.push_back(std::make_shared<StoredEntry>(kMiB));
  writer_->accept(std::move(batch));
  EXPECT_TRUE(test::eventually([&] { return trouble().has_value(); }))
      << "11 MiB of messages, and as much of WAL";
}

}  // namespace
}  // namespace triggerd::inbox
