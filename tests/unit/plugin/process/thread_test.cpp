#include "plugin/process/thread.hpp"

#include <gtest/gtest.h>
#include <signal.h>

#include <future>
#include <thread>

#include "unit/plugin/fakes.hpp"

namespace triggerd::plugin {
namespace {

std::string own_name() {
  char name[16] = "";
  ::pthread_getname_np(::pthread_self(), name, sizeof name);
  return name;
}

TEST(Thread, RunsUnderItsNameWithNoSignalBlocked) {
  std::string name;
  bool none_blocked = false;
  sigset_t all, before;
  ::sigfillset(&all);
  ::pthread_sigmask(SIG_SETMASK, &all, &before);
  auto thread = Thread::start("w:alarms", [&] {
    name = own_name();
    sigset_t blocked;
    ::pthread_sigmask(SIG_SETMASK, nullptr, &blocked);
    none_blocked = ::sigisemptyset(&blocked) == 1;
  });
  sigset_t blocked;
  ::pthread_sigmask(SIG_SETMASK, &before, &blocked);
  ASSERT_TRUE(thread);
  ASSERT_TRUE(thread->join(test::kPatience));
  EXPECT_EQ(name, "w:alarms");
  EXPECT_TRUE(none_blocked);
  EXPECT_EQ(::sigismember(&blocked, SIGTERM), 1) << "the caller's are as they were";
}

TEST(Thread, JoinGivesUpAtItsDeadline) {
  std::promise<void> release;
  auto thread = Thread::start("w:slow", [&] { release.get_future().wait(); });
  ASSERT_TRUE(thread);
  EXPECT_FALSE(thread->join(Millis(0)));
  release.set_value();
  EXPECT_TRUE(thread->join(test::kPatience));
  EXPECT_TRUE(thread->join(test::kPatience)) << "once more does nothing";
}

TEST(ThreadName, FitsAndTellsLongNamesApart) {
  EXPECT_EQ(thread_name('w', "alarms"), "w:alarms");
  EXPECT_EQ(thread_name('w', "exactly-13-ch"), "w:exactly-13-ch");
  const std::string a = thread_name('w', "high-temperature-a");
  const std::string b = thread_name('w', "high-temperature-b");
  EXPECT_EQ(a.size(), 15u);
  EXPECT_EQ(a.substr(0, 11), "w:high-tem~");
  EXPECT_NE(a, b);
}

TEST(ThreadNameScope, IsInheritedByThreadsThatStartInIt) {
  // ThreadSanitizer starts a thread of its own with the first one of a process: not in the scope.
  std::thread([] {}).join();
  const std::string before = own_name();
  std::promise<void> release;
  {
    const ThreadNameScope scope("p:alarms");
    EXPECT_EQ(own_name(), "p:alarms");
    std::promise<void> started;
    std::thread child([&, wait = release.get_future()]() mutable {
      started.set_value();
      wait.wait();
    });
    started.get_future().wait();
    EXPECT_EQ(count_threads_named("p:alarms", "w:alarms"), 1u) << "the calling one does not count";
    release.set_value();
    child.join();
  }
  EXPECT_EQ(own_name(), before);
  EXPECT_TRUE(test::eventually([] { return count_threads_named("p:alarms", "w:alarms") == 0; }));
}

}  // namespace
}  // namespace triggerd::plugin
