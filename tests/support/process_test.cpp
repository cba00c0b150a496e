#include "support/process.hpp"

#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <cstdio>

#include "support/temp_dir.hpp"

namespace triggerd::test {
namespace {

std::vector<std::string> shell(const std::string& script) {
  return {"/bin/sh", "-c", script};
}

// Whether a process has ended, reaped or not.
bool gone(pid_t pid) {
  const std::string file = "/proc/" + std::to_string(pid) + "/stat";
  std::FILE* stat = std::fopen(file.c_str(), "r");
  if (stat == nullptr) return true;
  char state = '?';
  const int found = std::fscanf(stat, "%*d (%*[^)]) %c", &state);
  std::fclose(stat);
  return found != 1 || state == 'Z' || state == 'X';
}

TEST(Process, CapturesBothOutputsLineByLine) {
  Process process(shell("echo one; echo two >&2; echo; printf rest"));
  EXPECT_EQ(process.wait(), (Exit{0, 0}));
  EXPECT_EQ(process.output(), "one\ntwo\n\nrest\n");
  const std::vector<OutputLine> lines = process.lines();
  ASSERT_EQ(lines.size(), 4U);
  EXPECT_EQ(lines[3].index, 3U);
  EXPECT_LE(lines[0].at, lines[3].at);
}

TEST(Process, TellsHowItEnded) {
  Process failing(shell("exit 7"));
  EXPECT_EQ(failing.wait(), (Exit{7, 0}));
  EXPECT_FALSE(failing.running());
  EXPECT_EQ(failing.wait(), (Exit{7, 0}));  // as often as one likes

  Process sleeping(shell("exec sleep 1000"));
  EXPECT_TRUE(sleeping.running());
  EXPECT_EQ(sleeping.wait(Millis(1)), std::nullopt);
  sleeping.signal(SIGTERM);
  EXPECT_EQ(sleeping.wait(), (Exit{0, SIGTERM}));
}

TEST(Process, WaitsForALine) {
  Process process(shell("echo a=1; echo b=2; echo a=3; exec sleep 1000"));
  const auto first = process.wait_for_line("a=");
  ASSERT_TRUE(first);
  EXPECT_EQ(first->text, "a=1");
  const auto next = process.wait_for_match("^a=[0-9]$", first->index + 1);
  ASSERT_TRUE(next);
  EXPECT_EQ(next->text, "a=3");
  EXPECT_FALSE(process.wait_for_line("a=", next->index + 1, Millis(10)));
  EXPECT_EQ(process.line_count(), 3U);
  EXPECT_THROW(process.wait_for_match("("), std::invalid_argument);
}

TEST(Process, AWaitForALineEndsWithTheOutput) {
  Process process(shell("echo a"));
  EXPECT_FALSE(process.wait_for_line("b", 0, Millis(3'600'000)));
}

TEST(Process, GetsItsFolderAndEnvironment) {
  const TempDir dir;
  ::setenv("TEST_REPLACED", "old", 1);  // NOLINT(concurrency-mt-unsafe): no other thread yet
  ::setenv("TEST_KEPT", "kept", 1);     // NOLINT(concurrency-mt-unsafe)
  ProcessOptions options;
  options.cwd = dir.path();
  options.env = {{"TEST_REPLACED", "new"}, {"TEST_ADDED", "a b"}};
  Process process(shell("pwd; echo $TEST_REPLACED; echo $TEST_KEPT; echo \"$TEST_ADDED\""),
                  options);
  process.wait();
  EXPECT_EQ(process.output(), dir.path().string() + "\nnew\nkept\na b\n");
}

TEST(Process, HasNothingToReadAndNoDescriptorsOfOurs) {
  Process process(shell("cat; ls /proc/self/fd | wc -l"));
  EXPECT_EQ(process.wait(), (Exit{0, 0}));
  EXPECT_EQ(process.output(), "4\n");  // 0, 1, 2 and the folder that ls reads
}

TEST(Process, AProgramThatIsNotThereIsAnError) {
  try {
    Process process({"/no/such/program"});
    FAIL();
  } catch (const std::system_error& error) {
    EXPECT_STREQ(error.what(), "cannot start /no/such/program: No such file or directory");
  }
  EXPECT_THROW(Process({"sh"}), std::invalid_argument);
}

TEST(Process, ItsEndTakesItsChildrenAlong) {
  pid_t child = 0;
  {
    Process process(shell("sleep 1000 & echo $!; trap '' TERM; wait"));
    const auto line = process.wait_for_match("^[0-9]+$");
    ASSERT_TRUE(line);
    child = static_cast<pid_t>(std::stol(line->text));
    EXPECT_FALSE(gone(child));
  }
  EXPECT_TRUE(eventually([child] { return gone(child); }));
}

TEST(Process, ADescendantThatHoldsTheOutputDoesNotHoldUsUp) {
  pid_t escaped = 0;
  {
    Process process(shell("setsid sleep 1000 & echo $!"));
    EXPECT_EQ(process.wait(), (Exit{0, 0}));
    ASSERT_EQ(process.line_count(), 1U);
    escaped = static_cast<pid_t>(std::stol(process.lines()[0].text));
  }
  ::kill(escaped, SIGKILL);
}

TEST(Process, DiesWithTheTest) {
  int ends[2];
  ASSERT_EQ(::pipe(ends), 0);
  const pid_t test = ::fork();
  if (test == 0) {
    const Process process(shell("exec sleep 1000"));
    const pid_t pid = process.pid();
    if (::write(ends[1], &pid, sizeof pid) != sizeof pid) ::_exit(1);
    ::raise(SIGKILL);
  }
  pid_t pid = 0;
  EXPECT_EQ(::read(ends[0], &pid, sizeof pid), static_cast<ssize_t>(sizeof pid));
  ::waitpid(test, nullptr, 0);
  ::close(ends[0]);
  ::close(ends[1]);
  EXPECT_TRUE(eventually([pid] { return gone(pid); }));
}

}  // namespace
}  // namespace triggerd::test
