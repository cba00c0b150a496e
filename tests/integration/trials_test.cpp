// What an earlier start has tried in processes of its own is not tried again, as long as nothing of
// it has changed.
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/stat.h>

#include <filesystem>
#include <fstream>
#include <iterator>
#include <map>
#include <optional>
#include <set>
#include <string>

#include "integration/own_signals.hpp"
#include "integration/recorded.hpp"
#include "support/mosquitto.hpp"
#include "support/triggerd_process.hpp"

namespace triggerd::test {
namespace {

namespace fs = std::filesystem;

// In how many processes.
struct Where {
  std::size_t loaded = 0;
  std::size_t made = 0;
  friend bool operator==(const Where&, const Where&) = default;
};
std::ostream& operator<<(std::ostream& out, const Where& where) {
  return out << "loaded in " << where.loaded << ", made in " << where.made;
}
constexpr Where kAll{.loaded = 3, .made = 2};      // a child, a worker, the runtime
constexpr Where kNone{.loaded = 1, .made = 1};     // the runtime
constexpr Where kService{.loaded = 2, .made = 2};  // a worker, the runtime

class TrialsTest : public testing::Test {
 protected:
  TrialsTest() {
    for (const char* folder : {"plugins", "first", "libraries"})
      fs::create_directory(dir_ / folder);
    fs::copy_file(fs::path(TEST_PLUGIN_DIR) / "tried.so", plugin());
    put_library("libraries");
    auto env = signals_are_its_own();
    env["TRIED_LOG"] = log().string();
    env["TRIED_FAULT"] = fault().string();
    env["LD_LIBRARY_PATH"] =
        fmt::format("{}:{}", (dir_ / "first").string(), (dir_ / "libraries").string());
    triggerd_.emplace(config("one"), env);
  }
  void TearDown() override {
    if (HasFailure()) ADD_FAILURE() << triggerd_->output();
  }

  std::string config(const std::string& service, const std::string& settings = "a = 1") const {
    return fmt::format(
               "[runtime]\nname = \"test\"\nplugin_dirs = [\"{}\"]\n[log]\nlevel = \"debug\"\n",
               (dir_ / "plugins").string()) +
           alias_table("a", server_.port()) +
           fmt::format(
               "[[triggers]]\nname = \"t\"\nalias = \"a\"\ntopics = [\"x\"]\n"
               "service = \"tried:{}\"\n[triggers.settings]\n{}\n",
               service, settings);
  }
  fs::path plugin() const { return dir_ / "plugins/tried.so"; }
  fs::path log() const { return dir_ / "log"; }
  fs::path fault() const { return dir_ / "fault"; }
  fs::path record() const { return triggerd_->dir() / "var/trials"; }
  // Another file, with another inode, each time.
  void put_library(const std::string& folder) const {
    const fs::path library = dir_ / folder / "libtried_needs.so";
    fs::copy_file(fs::path(TEST_PLUGIN_DIR) / "needs/libtried_needs.so", library.string() + ".new");
    fs::rename(library.string() + ".new", library);
  }
  void be_told(const std::string& what) const { std::ofstream(fault()) << what; }
  std::string read_record() const {
    std::ifstream in(record());
    return {std::istreambuf_iterator<char>(in), {}};
  }
  void write_record(const std::string& text) const { std::ofstream(record()) << text; }

  Where take_log() const {
    std::map<std::string, std::set<std::string>> processes;
    std::ifstream in(log());
    for (std::string what, pid; in >> what >> pid;) processes[what].insert(pid);
    fs::remove(log());
    return {processes["load"].size(), processes["make"].size()};
  }
  void start() {
    take_log();
    triggerd_->start();
  }
  // To the end of a run in good order.
  Where run() {
    start();
    EXPECT_TRUE(triggerd_->wait_until_running()) << triggerd_->output();
    const Where where = take_log();
    EXPECT_EQ(triggerd_->stop(), (Exit{0, 0}));
    return where;
  }

  TempDir dir_;
  MosquittoServer server_;
  std::optional<TriggerdProcess> triggerd_;
};

TEST_F(TrialsTest, WhatTheFirstStartHasTriedTheSecondDoesNot) {
  EXPECT_EQ(run(), kAll);
  struct stat status {};
  ASSERT_EQ(::stat(record().c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 0777U, 0600U);
  EXPECT_EQ(run(), kNone);
  EXPECT_FALSE(triggerd_->wait_for_event("plugin.trial", {}, 0, Millis(1)));
  EXPECT_EQ(run(), kNone);
}

TEST_F(TrialsTest, ItIsKeptWhileTheRuntimeRuns) {
  start();
  ASSERT_TRUE(triggerd_->wait_until_running());
  ASSERT_TRUE(eventually([&] { return fs::exists(record()); }));
  triggerd_->kill();
  EXPECT_EQ(run(), kNone);
}

TEST_F(TrialsTest, AStateFolderBehindALinkHasItToo) {
  fs::create_directory(dir_ / "state");
  fs::create_directory_symlink(dir_ / "state", triggerd_->dir() / "var");
  EXPECT_EQ(run(), kAll);
  EXPECT_EQ(run(), kNone);
}

TEST_F(TrialsTest, AnotherBuildIsTried) {
  EXPECT_EQ(run(), kAll);
  std::ofstream(plugin(), std::ios::app) << "more";
  EXPECT_EQ(run(), kAll);
  EXPECT_EQ(run(), kNone);
}

TEST_F(TrialsTest, OtherSettingsAndAnotherServiceAreTried) {
  EXPECT_EQ(run(), kAll);
  triggerd_->write_config(config("one", "a = 2"));
  EXPECT_EQ(run(), kService);
  triggerd_->write_config(config("one", "a = \"2\""));
  EXPECT_EQ(run(), kService);
  triggerd_->write_config(config("two", "a = \"2\""));
  EXPECT_EQ(run(), kService);
  EXPECT_EQ(run(), kNone);
}

TEST_F(TrialsTest, ALibraryThatThePluginNeedsIsReplaced) {
  EXPECT_EQ(run(), kAll);
  put_library("libraries");
  EXPECT_EQ(run(), kAll);
  EXPECT_EQ(run(), kNone);
  put_library("first");  // where the loader looks before
  EXPECT_EQ(run(), kAll);
  EXPECT_EQ(run(), kNone);
}

TEST_F(TrialsTest, ARecordThatIsCutOrForeignIsReplaced) {
  EXPECT_EQ(run(), kAll);
  const std::string text = read_record();
  write_record(text.substr(0, text.size() / 2));
  EXPECT_EQ(run(), kAll);
  write_record("");
  EXPECT_EQ(run(), kAll);
  write_record("triggerd-trials 2" + text.substr(17));
  EXPECT_EQ(run(), kAll);
  fs::permissions(record(), fs::perms::others_write, fs::perm_options::add);
  EXPECT_EQ(run(), kAll);
  fs::rename(record(), dir_ / "elsewhere");
  fs::create_symlink(dir_ / "elsewhere", record());
  EXPECT_EQ(run(), kAll);
  EXPECT_FALSE(fs::is_symlink(record()));
  EXPECT_EQ(run(), kNone);
}

TEST_F(TrialsTest, ARecordThatCannotBeRemovedIsNotBelievedAndKeepsNobodyFromStarting) {
  EXPECT_EQ(run(), kAll);
  fs::remove(record());
  fs::create_directory(record());
  EXPECT_EQ(run(), kAll);
  EXPECT_EQ(run(), kAll);
  EXPECT_TRUE(fs::is_directory(record()));
}

TEST_F(TrialsTest, AServiceThatCrashesAllTheSameIsTriedByTheNextStart) {
  EXPECT_EQ(run(), kAll);
  be_told("make abort");
  start();
  EXPECT_EQ(triggerd_->process().wait(), (Exit{0, SIGABRT}));
  EXPECT_EQ(take_log(), kNone);
  start();
  EXPECT_EQ(triggerd_->process().wait(), (Exit{2, 0}));
  EXPECT_EQ(take_log(), (Where{.loaded = 3, .made = 1}));
  EXPECT_NE(triggerd_->output().find("SIGABRT; every service is first created in a worker process"),
            std::string::npos);
  be_told("");
  EXPECT_EQ(run(), kAll);
  EXPECT_EQ(run(), kNone);
}

TEST_F(TrialsTest, OneThatEndsTheProcessWithoutATraceTooAndAConstructorThatCrashes) {
  EXPECT_EQ(run(), kAll);
  be_told("make exit");
  start();
  EXPECT_EQ(triggerd_->process().wait(), (Exit{9, 0}));
  start();
  EXPECT_EQ(triggerd_->process().wait(), (Exit{2, 0}));
  be_told("");
  EXPECT_EQ(run(), kAll);
  be_told("load abort");
  start();
  EXPECT_EQ(triggerd_->process().wait(), (Exit{0, SIGABRT}));
  start();
  EXPECT_EQ(triggerd_->process().wait(), (Exit{2, 0}));
  EXPECT_NE(triggerd_->output().find("SIGABRT, in a constructor"), std::string::npos);
}

TEST_F(TrialsTest, ACrashLaterInTheRunMakesTheNextStartTryEverything) {
  start();
  ASSERT_TRUE(triggerd_->wait_until_running());
  ASSERT_TRUE(eventually([&] { return fs::exists(record()); }));
  triggerd_->process().signal(SIGSEGV);
  EXPECT_EQ(triggerd_->process().wait(), (Exit{0, SIGSEGV}));
  EXPECT_EQ(run(), kAll);
}

TEST_F(TrialsTest, ACheckTriesAlwaysAndLeavesTheRecordAlone) {
  EXPECT_EQ(run(), kAll);
  const std::string before = read_record();
  for (int i = 0; i < 2; ++i) {
    take_log();
    EXPECT_EQ(triggerd_->check().exit, (Exit{0, 0}));
    EXPECT_EQ(take_log(), kAll);
  }
  EXPECT_EQ(read_record(), before);
  EXPECT_EQ(run(), kNone);
}

TEST_F(TrialsTest, TheTableOfDescriptorsIsLargeEnoughBeforeThereAreThreads) {
  start();
  ASSERT_TRUE(triggerd_->wait_until_running());
  std::ifstream status(fmt::format("/proc/{}/status", triggerd_->process().pid()));
  std::size_t size = 0;
  for (std::string word; status >> word;) {
    if (word == "FDSize:") status >> size;
  }
  EXPECT_GT(size, 512U);  // what it has become by itself with a socket, as these begin at 256
}

}  // namespace
}  // namespace triggerd::test
