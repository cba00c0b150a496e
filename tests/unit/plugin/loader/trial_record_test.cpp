#include "plugin/loader/trial_record.hpp"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <chrono>
#include <fstream>
#include <functional>
#include <set>

#include "base/file.hpp"
#include "config/trigger.hpp"
#include "support/temp_dir.hpp"

namespace triggerd::plugin {
namespace {

namespace fs = std::filesystem;

class TrialRecordTest : public testing::Test {
 protected:
  TrialRecordTest() {
    fs::create_directory(folder());
    trigger_.name = "t";
    trigger_.alias = "a";
    trigger_.service = "s";
    trigger_.settings = {.json = R"({"k":1})",
                         .flat = {{"k", "1", config::Setting::Type::integer}}};
  }
  fs::path file() const { return dir_ / "trials"; }
  fs::path folder() const { return dir_ / "libraries"; }

  // A start that tries a library, and keeps what it has tried.
  [[nodiscard]] Result<> keep() const {
    TrialRecord record(file(), true);
    record.add(record.library("1234", true));
    return record.keep({.copies = {}, .folders = {folder()}});
  }
  // What the next start knows; it keeps nothing.
  bool known(bool trusted = true) const {
    const TrialRecord record(file(), trusted);
    EXPECT_FALSE(fs::exists(file()) && !fs::is_directory(file()));
    return record.knows(record.library("1234", true));
  }
  std::string text() const { return read_file(file(), 1 << 20).value(); }
  void write(const std::string& text) const {
    fs::remove(file());
    std::ofstream(file()) << text;
    fs::permissions(file(), fs::perms::owner_read | fs::perms::owner_write);
  }

  // The clock of the file system is not as fine as ours.
  void change_after(std::chrono::system_clock::time_point when) const {
    struct stat status {};
    do {
      fs::last_write_time(folder(), fs::file_time_type::clock::now() - std::chrono::hours(1));
      ASSERT_EQ(::stat(folder().c_str(), &status), 0);
    } while (std::chrono::seconds(status.st_ctim.tv_sec) +
                 std::chrono::nanoseconds(status.st_ctim.tv_nsec) <=
             when.time_since_epoch());
  }

  test::TempDir dir_;
  config::Trigger trigger_;
};

TEST_F(TrialRecordTest, WhatIsKeptIsKnownOnce) {
  EXPECT_FALSE(known());
  ASSERT_TRUE(keep());
  EXPECT_TRUE(known());
  EXPECT_FALSE(known()) << "nobody has kept it again";
}

TEST_F(TrialRecordTest, ItIsForItsOwnerAloneWhateverTheUmask) {
  const mode_t before = ::umask(0);
  ASSERT_TRUE(keep());
  ::umask(before);
  struct stat status {};
  ASSERT_EQ(::stat(file().c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 0777U, 0600U);
}

TEST_F(TrialRecordTest, NothingOfAnUntrustedOneIsKnownAndItIsGone) {
  ASSERT_TRUE(keep());
  EXPECT_FALSE(known(false));
  EXPECT_FALSE(fs::exists(file()));
}

TEST_F(TrialRecordTest, WhatWasKnownIsKeptOnlyWhereItWasAddedAgain) {
  ASSERT_TRUE(keep());
  {
    TrialRecord record(file(), true);
    const std::string other = record.library("5678", true);
    EXPECT_FALSE(record.knows(other));
    record.add(other);
    ASSERT_TRUE(record.keep({}));
    EXPECT_FALSE(record.knows(record.library("1234", true))) << "it is over";
    record.add(record.library("1234", true));
    ASSERT_TRUE(record.keep({}));
  }
  EXPECT_FALSE(known());
}

TEST_F(TrialRecordTest, NoneIsMadeOfNothing) {
  TrialRecord record(file(), true);
  ASSERT_TRUE(record.keep({}));
  EXPECT_FALSE(fs::exists(file()));
}

TEST_F(TrialRecordTest, WhereverItIsCutAndWhateverByteIsAnotherNothingIsKnown) {
  ASSERT_TRUE(keep());
  const std::string good = text();
  for (std::size_t size = 0; size < good.size(); size += size < 100 ? 1 : 37) {
    write(good.substr(0, size));
    ASSERT_FALSE(known()) << size;
  }
  for (std::size_t at = 0; at < good.size(); at += 13) {
    std::string bad = good;
    bad[at] = static_cast<char>(bad[at] ^ 1);
    write(bad);
    ASSERT_FALSE(known()) << at;
  }
  write(good + "end");
  EXPECT_FALSE(known());
  write(std::string(std::size_t{2} << 20, 'x'));
  EXPECT_FALSE(known());
  write(good);
  EXPECT_TRUE(known());
}

TEST_F(TrialRecordTest, WhatOthersMayHaveWrittenIsNotBelieved) {
  ASSERT_TRUE(keep());
  const std::string good = text();
  fs::permissions(file(), fs::perms::group_write, fs::perm_options::add);
  EXPECT_FALSE(known());
  write(good);
  fs::rename(file(), dir_ / "other");
  fs::create_symlink(dir_ / "other", file());
  EXPECT_FALSE(known());
  fs::create_hard_link(dir_ / "other", file());
  EXPECT_FALSE(known());
  ASSERT_EQ(::mkfifo(file().c_str(), 0600), 0);
  EXPECT_FALSE(known());
  write(good);
  EXPECT_TRUE(known());
}

TEST_F(TrialRecordTest, WhatCannotBeRemovedIsNotBelievedAndNotReplaced) {
  fs::create_directory(file());
  EXPECT_FALSE(known());
  EXPECT_FALSE(keep());
  EXPECT_TRUE(fs::is_directory(file()));
  EXPECT_FALSE(fs::exists(dir_ / "trials.new"));
}

TEST_F(TrialRecordTest, AFolderOfLibrariesThatHasChangedMakesAllOfItUnknown) {
  ASSERT_TRUE(keep());
  std::ofstream(folder() / "libnew.so") << "x";
  fs::last_write_time(folder(), fs::last_write_time(folder()) - std::chrono::seconds(10));
  EXPECT_FALSE(known());
}

TEST_F(TrialRecordTest, AFolderThatDidNotExistAndDoesNow) {
  fs::remove(folder());
  ASSERT_TRUE(keep());
  const std::string good = text();
  EXPECT_TRUE(known());
  write(good);
  fs::create_directory(folder());
  EXPECT_FALSE(known());
}

TEST_F(TrialRecordTest, WhatHasChangedSinceTheStartIsNotKept) {
  TrialRecord record(file(), true);
  record.add(record.library("1234", true));
  change_after(std::chrono::system_clock::now());
  const auto kept = record.keep({.copies = {}, .folders = {folder()}});
  ASSERT_FALSE(kept);
  EXPECT_NE(kept.error().message.find("has changed since the start"), std::string::npos);
  EXPECT_FALSE(fs::exists(file()));
}

TEST_F(TrialRecordTest, ATimeThatSomebodyHasGivenAFileIsNoChange) {
  fs::last_write_time(folder(), fs::file_time_type::clock::now() + std::chrono::hours(24));
  ASSERT_TRUE(keep());
  EXPECT_TRUE(known());
}

TEST_F(TrialRecordTest, AFolderOfCopiesIsNotLookedAt) {
  TrialRecord record(file(), true);
  record.add(record.library("1234", true));
  ASSERT_TRUE(record.keep({.copies = {folder() / "p.1.so"}, .folders = {folder() / ""}}));
  EXPECT_EQ(text().find(folder().string()), std::string::npos);
}

TEST_F(TrialRecordTest, EverythingThatAServiceIsToldMakesAnotherDigest) {
  const TrialRecord record(file(), true);
  std::set<std::string> digests{record.service("1234", trigger_), record.service("5678", trigger_),
                                record.library("1234", true), record.library("1234", false)};
  std::size_t count = 4;
  for (const std::function<void(config::Trigger&)>& change :
       std::initializer_list<std::function<void(config::Trigger&)>>{
           [](auto& it) { it.name = "u"; }, [](auto& it) { it.alias = "b"; },
           [](auto& it) { it.service = ""; }, [](auto& it) { it.concurrency = 2; },
           [](auto& it) { it.settings.json = R"({"k":2})"; },
           [](auto& it) { it.settings.flat[0].value = "2"; },
           [](auto& it) { it.settings.flat[0].key = "l"; },
           [](auto& it) { it.settings.flat[0].type = config::Setting::Type::string; },
           [](auto& it) { it.settings.flat.emplace_back(it.settings.flat[0]); },
           // Not the same letters in other places.
           [](auto& it) {
             it.name = "ta";
             it.alias = "";
           }}) {
    config::Trigger other = trigger_;
    change(other);
    digests.insert(record.service("1234", other));
    EXPECT_EQ(digests.size(), ++count);
  }
}

TEST_F(TrialRecordTest, TheEnvironmentOfTheLoaderIsPartOfIt) {
  ASSERT_TRUE(keep());
  ::setenv("LD_TRIAL_RECORD_TEST", "1", 1);  // NOLINT(concurrency-mt-unsafe): one thread
  const bool is_known = known();
  ::unsetenv("LD_TRIAL_RECORD_TEST");  // NOLINT(concurrency-mt-unsafe)
  EXPECT_FALSE(is_known);
}

}  // namespace
}  // namespace triggerd::plugin
