// The inbox's files are taken away in a way that it cannot mend: it says so, and goes on once it
// can.
#include <gtest/gtest.h>

#include <atomic>
#include <filesystem>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "inbox/inbox_file.hpp"
#include "inbox/writer.hpp"
#include "support/eventually.hpp"
#include "support/sqlite_connection.hpp"
#include "support/temp_dir.hpp"

namespace triggerd::inbox {
namespace {

namespace fs = std::filesystem;

class SimpleEntry : public Entry {
 public:
  explicit SimpleEntry(std::string id) : id_(std::move(id)) {}
  bool wants_writing() const override { return true; }
  bool begin_write() override { return true; }
  MessageView view() const override {
    return {.trigger = "t", .message_id = id_, .topic = "plant/1", .payload = "x", .qos = 1};
  }
  void written(std::optional<std::int64_t>) override { is_written = true; }
  void not_written() override {}
  void flush_acknowledgement() override {}
  std::atomic<bool> is_written{false};

 private:
  const std::string id_;
};

class KeepFilesTroubleTest : public testing::Test {
 protected:
  KeepFilesTroubleTest() {
    fs::create_directories(folder());
    inbox_ = Inbox::open(file()).value();
    Writer::Options options;
    options.retry = options.look = Millis(10);
    writer_ = std::make_unique<Writer>(*inbox_, options,
                                       [this](const std::optional<std::string>& reason) {
                                         const MutexLock lock(mutex_);
                                         trouble_ = reason;
                                       });
  }
  fs::path folder() const { return dir_ / "state"; }
  fs::path file(const char* part = "") const { return folder() / (std::string("inbox.db") + part); }
  // Runs `steps` while nobody looks at the files.
  template <class Steps>
  void at_once(Steps&& steps) {
    const MutexLock lock(inbox_->file().mutex());
    std::forward<Steps>(steps)();
  }
  std::shared_ptr<SimpleEntry> accept(const std::string& id) {
    auto entry = std::make_shared<SimpleEntry>(id);
    writer_->accept({entry});
    return entry;
  }
  static bool comes_to_be_written(const SimpleEntry& entry) {
    return test::eventually([&] { return entry.is_written.load(); });
  }
  std::string trouble() const {
    const MutexLock lock(mutex_);
    return trouble_.value_or("");
  }
  bool comes_to_say(const std::string& part) const {
    return test::eventually([&] { return trouble().find(part) != std::string::npos; });
  }
  // What somebody finds who opens the file at its name.
  std::vector<std::string> ids_at_name() const {
    return test::SqliteConnection(file().string())
        .rows("SELECT message_id FROM message ORDER BY number")
        .value_or(std::vector<std::string>{"cannot be read"});
  }
  using Ids = std::vector<std::string>;

  test::TempDir dir_;
  mutable Mutex mutex_;
  std::optional<std::string> trouble_ TRIGGERD_GUARDED_BY(mutex_);
  std::unique_ptr<Inbox> inbox_;
  std::unique_ptr<Writer> writer_;
};

TEST_F(KeepFilesTroubleTest, ANameThatIsTakenByALinkIsNotReplaced) {
  ASSERT_TRUE(comes_to_be_written(*accept("a")));
  at_once([this] {
    fs::rename(file(), dir_ / "moved");
    fs::create_symlink(dir_ / "nowhere", file());
  });
  EXPECT_TRUE(comes_to_say("cannot be written again: " + file().string())) << trouble();
  EXPECT_TRUE(fs::is_symlink(file()));
  EXPECT_FALSE(fs::exists(file(".again"))) << "the copy that was of no use";

  const auto waiting = accept("b");
  EXPECT_FALSE(waiting->is_written);
  fs::remove(file());
  EXPECT_TRUE(comes_to_be_written(*waiting)) << trouble();
  EXPECT_EQ(ids_at_name(), (Ids{"a", "b"}));
}

TEST_F(KeepFilesTroubleTest, AFolderOfAnotherFileSystemIsNotUsed) {
  ASSERT_TRUE(comes_to_be_written(*accept("a")));
  at_once([this] {
    fs::rename(folder(), dir_ / "aside");
    fs::create_directory_symlink("/proc/self", folder());
  });
  EXPECT_TRUE(comes_to_say(folder().string() + " is on another file system than before"))
      << trouble();

  const auto waiting = accept("b");
  EXPECT_FALSE(waiting->is_written);
  at_once([this] {
    fs::remove(folder());
    fs::rename(dir_ / "aside", folder());
  });
  EXPECT_TRUE(comes_to_be_written(*waiting)) << trouble();
  EXPECT_EQ(ids_at_name(), (Ids{"a", "b"}));
}

TEST_F(KeepFilesTroubleTest, AWalThatIsGoneWhileSomebodyReadsWaitsForTheReader) {
  ASSERT_TRUE(comes_to_be_written(*accept("a")));
  const test::SqliteConnection reader(file().string());
  ASSERT_EQ(reader.run("BEGIN"), SQLITE_OK);
  ASSERT_TRUE(reader.rows("SELECT COUNT(*) FROM message"));
  ASSERT_TRUE(comes_to_be_written(*accept("b")));  // the reader does not see it
  fs::remove(file("-wal"));
  EXPECT_TRUE(comes_to_say("somebody who reads inbox.db keeps it from being made anew"))
      << trouble();

  const auto waiting = accept("c");
  EXPECT_FALSE(waiting->is_written);
  ASSERT_EQ(reader.run("COMMIT"), SQLITE_OK);
  EXPECT_TRUE(comes_to_be_written(*waiting)) << trouble();
  EXPECT_EQ(ids_at_name(), (Ids{"a", "b", "c"}));
}

TEST_F(KeepFilesTroubleTest, AnotherFileInItsPlaceAndAReaderOfTheOpenOne) {
  ASSERT_TRUE(comes_to_be_written(*accept("a")));
  auto reader = std::make_unique<test::SqliteConnection>(file().string());
  ASSERT_EQ(reader->run("BEGIN"), SQLITE_OK);
  ASSERT_TRUE(reader->rows("SELECT COUNT(*) FROM message"));
  ASSERT_TRUE(comes_to_be_written(*accept("b")));
  at_once([this] {
    fs::rename(file(), dir_ / "moved");
    fs::copy_file(dir_ / "moved", file());
  });
  EXPECT_TRUE(comes_to_say("somebody who reads the open one keeps its WAL beside it")) << trouble();

  reader.reset();
  const auto waiting = accept("c");
  fs::remove(file());
  EXPECT_TRUE(comes_to_be_written(*waiting)) << trouble();
  EXPECT_EQ(ids_at_name(), (Ids{"a", "b", "c"}));
}

}  // namespace
}  // namespace triggerd::inbox
