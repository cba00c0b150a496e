// std::mutex and its companions, annotated for clang's -Wthread-safety (an error in tools/check).
//
// TRIGGERD_GUARDED_BY marks a member that a mutex protects, TRIGGERD_REQUIRES a function that is
// called with the lock held. gcc ignores the annotations.
#pragma once

#include <chrono>
#include <condition_variable>
#include <mutex>

#if defined(__clang__)
#define TRIGGERD_THREAD_ATTRIBUTE(x) __attribute__((x))
#else
#define TRIGGERD_THREAD_ATTRIBUTE(x)
#endif

#define TRIGGERD_GUARDED_BY(m) TRIGGERD_THREAD_ATTRIBUTE(guarded_by(m))
#define TRIGGERD_REQUIRES(...) TRIGGERD_THREAD_ATTRIBUTE(requires_capability(__VA_ARGS__))
#define TRIGGERD_EXCLUDES(...) TRIGGERD_THREAD_ATTRIBUTE(locks_excluded(__VA_ARGS__))
#define TRIGGERD_NO_ANALYSIS TRIGGERD_THREAD_ATTRIBUTE(no_thread_safety_analysis)

namespace triggerd {

class TRIGGERD_THREAD_ATTRIBUTE(capability("mutex")) Mutex {
 public:
  void lock() TRIGGERD_THREAD_ATTRIBUTE(acquire_capability()) { mutex_.lock(); }
  void unlock() TRIGGERD_THREAD_ATTRIBUTE(release_capability()) { mutex_.unlock(); }

 private:
  friend class CondVar;
  std::mutex mutex_;
};

class TRIGGERD_THREAD_ATTRIBUTE(scoped_lockable) MutexLock {
 public:
  explicit MutexLock(Mutex& mutex) TRIGGERD_THREAD_ATTRIBUTE(acquire_capability(mutex))
      : mutex_(mutex) {
    mutex_.lock();
  }
  ~MutexLock() TRIGGERD_THREAD_ATTRIBUTE(release_capability()) { mutex_.unlock(); }
  MutexLock(const MutexLock&) = delete;
  MutexLock& operator=(const MutexLock&) = delete;

 private:
  Mutex& mutex_;
};

// As std::condition_variable: called with the mutex held, which is released while waiting. Every
// wait of the runtime has a bound, or is ended by a notify that the owner's stop() always sends.
class CondVar {
 public:
  void wait(Mutex& mutex) TRIGGERD_REQUIRES(mutex) {
    std::unique_lock<std::mutex> lock(mutex.mutex_, std::adopt_lock);
    condition_.wait(lock);
    lock.release();
  }
  std::cv_status wait_until(Mutex& mutex, std::chrono::steady_clock::time_point until)
      TRIGGERD_REQUIRES(mutex) {
    std::unique_lock<std::mutex> lock(mutex.mutex_, std::adopt_lock);
    const std::cv_status status = condition_.wait_until(lock, until);
    lock.release();
    return status;
  }
  void notify_one() { condition_.notify_one(); }
  void notify_all() { condition_.notify_all(); }

 private:
  std::condition_variable condition_;
};

}  // namespace triggerd
