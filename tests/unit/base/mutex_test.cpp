#include "base/mutex.hpp"

#include <gtest/gtest.h>

#include <thread>
#include <vector>

namespace triggerd {
namespace {

struct Shared {
  Mutex mutex;
  CondVar changed;
  int value TRIGGERD_GUARDED_BY(mutex) = 0;
};

TEST(MutexTest, LetsOneInAtATime) {
  Shared shared;
  std::vector<std::thread> threads;
  for (int i = 0; i < 4; ++i) {
    threads.emplace_back([&shared] {
      for (int j = 0; j < 10'000; ++j) {
        MutexLock lock(shared.mutex);
        ++shared.value;
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  MutexLock lock(shared.mutex);
  EXPECT_EQ(shared.value, 40'000);
}

TEST(CondVarTest, HandsTheMutexOverWhileItWaits) {
  Shared shared;
  std::thread other([&shared] {
    MutexLock lock(shared.mutex);
    while (shared.value != 1) shared.changed.wait(shared.mutex);
    shared.value = 2;
    shared.changed.notify_all();
  });
  {
    MutexLock lock(shared.mutex);
    shared.value = 1;
    shared.changed.notify_one();
    while (shared.value != 2) shared.changed.wait(shared.mutex);
    EXPECT_EQ(shared.value, 2);
  }
  other.join();
}

TEST(CondVarTest, StopsWaitingWhenTheTimeHasCome) {
  Shared shared;
  MutexLock lock(shared.mutex);
  EXPECT_EQ(shared.changed.wait_until(shared.mutex, std::chrono::steady_clock::now()),
            std::cv_status::timeout);
  shared.value = 1;  // the lock is held again
}

}  // namespace
}  // namespace triggerd
