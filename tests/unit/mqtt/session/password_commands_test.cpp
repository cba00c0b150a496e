// Programs that print passwords, run for real.
#include "mqtt/session/password_commands.hpp"

#include <gtest/gtest.h>

#include <atomic>
#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include "base/mutex.hpp"
#include "support/eventually.hpp"
#include "support/fake_clock.hpp"
#include "support/temp_dir.hpp"

namespace triggerd::mqtt {
namespace {

using Words = PasswordCommands::Words;

TEST(PrintedPassword, IsALineOrAnObject) {
  const auto password = [](const std::string& printed) {
    const auto found = read_printed_password(printed);
    return found ? found->password.reveal() : "error: " + found.error().message;
  };
  EXPECT_EQ(password("hunter2\n"), "hunter2");
  EXPECT_EQ(password("hunter2\r\n"), "hunter2");
  EXPECT_EQ(password(" a b\n\n"), " a b\n") << "one newline is the program's";
  EXPECT_EQ(password(std::string("\0\xff", 2)), std::string("\0\xff", 2));
  EXPECT_EQ(password("{\"password\":\"x\",\"more\":1}\n"), "x");
  EXPECT_EQ(password(""), "error: it has printed no password");
  EXPECT_EQ(password("\n"), "error: it has printed no password");
  EXPECT_EQ(password("{\"password\":\"\"}"), "error: it has printed no password");
  EXPECT_EQ(password("{x"), "error: its output begins with { and is not a JSON object");
  EXPECT_EQ(password("{\"token\":\"x\"}"),
            "error: it has printed JSON without a \"password\" that is a string");
  EXPECT_EQ(password("{\"password\":\"x\",\"expires_in\":-1}"),
            "error: it has printed an \"expires_in\" that is no number of seconds above 0");
  EXPECT_EQ(password(std::string(65'536, 'x')),
            "error: it has printed a password of more than 65535 bytes");
}

TEST(PrintedPassword, IsRenewedALittleBeforeItsEnd) {
  const auto good_for = [](const std::string& seconds) {
    return read_printed_password("{\"password\":\"x\",\"expires_in\":" + seconds + "}")->good_for;
  };
  EXPECT_EQ(good_for("3600"), Millis(3'570'000));
  EXPECT_EQ(good_for("10"), Millis(9'000));
  EXPECT_EQ(good_for("0.5"), Millis(450));
  EXPECT_EQ(good_for("null"), Millis::max());
  EXPECT_EQ(good_for("1e300"), Millis::max());
  EXPECT_EQ(read_printed_password("x")->good_for, Millis::max());
}

class PasswordCommandsTest : public testing::Test {
 protected:
  // A command that notes that it runs, and prints what `printed` holds by then.
  Words command(const std::string& more = "cat printed") const {
    return {"sh", "-c", "cd " + dir_.path().string() + "; echo run >> runs; " + more};
  }
  void prints(const std::string& text) const { dir_.write("printed", text); }
  std::size_t runs() const {
    std::ifstream in(dir_ / "runs");
    std::size_t count = 0;
    for (std::string line; std::getline(in, line);) ++count;
    return count;
  }
  // What comes of it: the password, or "error: " and why.
  std::string get(const Words& words, Millis timeout = test::kPatience) {
    const auto box = std::make_shared<Box>();
    commands_->get(words, timeout,
                   [box](const Result<config::Secret>& result) { box->put(result); });
    EXPECT_TRUE(test::eventually([&] { return !box->text().empty(); }));
    return box->text();
  }

  class Box {
   public:
    void put(const Result<config::Secret>& result) {
      const MutexLock lock(mutex_);
      text_ = result ? result->reveal() : "error: " + result.error().message;
    }
    std::string text() const {
      const MutexLock lock(mutex_);
      return text_;
    }

   private:
    mutable Mutex mutex_;
    std::string text_ TRIGGERD_GUARDED_BY(mutex_);
  };

  test::TempDir dir_;
  std::unique_ptr<PasswordCommands> commands_ = make_password_commands(system_clock());
};

TEST_F(PasswordCommandsTest, APasswordIsKeptUntilItIsRefused) {
  prints("one\n");
  EXPECT_EQ(get(command()), "one");
  prints("two\n");
  EXPECT_EQ(get(command()), "one");
  EXPECT_EQ(runs(), 1U);
  commands_->refused(command(), config::Secret("another"));
  EXPECT_EQ(get(command()), "one") << "that one was replaced already";
  commands_->refused(command(), config::Secret("one"));
  EXPECT_EQ(get(command()), "two");
  EXPECT_EQ(runs(), 2U);
  commands_->refused({"nobody", "knows"}, config::Secret("one"));
}

TEST_F(PasswordCommandsTest, APasswordIsKeptForItsTime) {
  test::FakeClock clock;
  commands_ = make_password_commands(clock);
  prints("{\"password\":\"one\",\"expires_in\":100}");
  EXPECT_EQ(get(command()), "one");
  prints("{\"password\":\"two\",\"expires_in\":100}");
  clock.advance(Millis(89'999));
  EXPECT_EQ(get(command()), "one");
  clock.advance(Millis(1));
  EXPECT_EQ(get(command()), "two");
  commands_.reset();  // before its clock
}

TEST_F(PasswordCommandsTest, ThoseWhoAskMeanwhileShareARun) {
  prints("one");
  std::atomic<int> answers{0};
  const Words words = command("while [ ! -e go ]; do sleep 0.01; done; cat printed");
  for (int i = 0; i < 50; ++i) {
    commands_->get(words, test::kPatience, [&](const Result<config::Secret>& result) {
      if (result && result->reveal() == "one") ++answers;
    });
  }
  dir_.write("go", "");
  EXPECT_TRUE(test::eventually([&] { return answers == 50; }));
  EXPECT_EQ(runs(), 1U);
}

TEST_F(PasswordCommandsTest, OneThatHangsKeepsNoOtherWaiting) {
  EXPECT_EQ(get({"echo", "a"}), "a");  // there is a thread that waits now
  commands_->get(command("sleep 1000"), Millis(3'600'000), [](const Result<config::Secret>&) {});
  EXPECT_EQ(get({"echo", "b"}), "b");
}

TEST_F(PasswordCommandsTest, OtherArgumentsAreAnotherPassword) {
  EXPECT_EQ(get({"echo", "a"}), "a");
  EXPECT_EQ(get({"echo", "b"}), "b");
}

TEST_F(PasswordCommandsTest, AFailureSaysWhyAndIsNotKept) {
  EXPECT_EQ(get(command("echo secret; echo first >&2; echo no ticket >&2; exit 3")),
            "error: exit code 3: no ticket");
  EXPECT_EQ(get(command("kill -9 $$")), "error: ended by signal 9");
  EXPECT_EQ(get({"/no/such/program"}),
            "error: /no/such/program is no program: no such file, or it may not be executed");
  EXPECT_EQ(get({"no-such-program"}), "error: there is no program \"no-such-program\" in PATH");
  EXPECT_EQ(get(command("head -c 200000 /dev/zero")),
            "error: it has written more than 131072 bytes");
  EXPECT_EQ(get(command("cat missing 2> /dev/null; true")), "error: it has printed no password");
  prints("one");
  EXPECT_EQ(get(command()), "one");
}

TEST_F(PasswordCommandsTest, OneThatTakesTooLongIsEndedWithAllThatItStarted) {
  const std::string found =
      get(command("sleep 1000 & echo $! > child; echo waiting >&2; wait"), Millis(300));
  EXPECT_EQ(found, "error: it has not ended within 300ms: waiting");
  int child = 0;
  std::ifstream(dir_ / "child") >> child;
  EXPECT_TRUE(test::eventually([&] {
    std::ifstream stat("/proc/" + std::to_string(child) + "/stat");
    std::string line;
    std::getline(stat, line);
    return line.empty() || line.find(") Z ") != std::string::npos;
  }));
}

TEST_F(PasswordCommandsTest, WhatItLeavesBehindIsNotWaitedFor) {
  EXPECT_EQ(get(command("sleep 1000 & echo one")), "one");
}

TEST_F(PasswordCommandsTest, TheEndEndsWhatRuns) {
  std::atomic<int> answers{0};
  for (int i = 0; i < 6; ++i) {  // more than run at a time
    commands_->get(command("sleep 1000; echo " + std::to_string(i)), Millis(3'600'000),
                   [&](const Result<config::Secret>& result) {
                     if (!result && result.error().message == "given up") ++answers;
                   });
  }
  ASSERT_TRUE(test::eventually([&] { return runs() > 0; }));
  commands_.reset();
  EXPECT_EQ(answers, 6);
}

}  // namespace
}  // namespace triggerd::mqtt
