// Results of publishes on their way to a worker. They come on any thread, even after the worker, or
// its whole link, has gone.
//
// A lock of its own.
#pragma once

#include <sys/eventfd.h>
#include <unistd.h>

#include <cstddef>
#include <utility>
#include <vector>

#include "base/file.hpp"
#include "base/mutex.hpp"
#include "plugin/isolation/protocol.hpp"

namespace triggerd::plugin::isolation {

class Mailbox {
 public:
  // As Publishes::kMax, to which a sound worker keeps.
  static constexpr std::size_t kMax = 10'000;

  // `doorbell` is an eventfd, open until close(); -1: nobody is woken.
  explicit Mailbox(int doorbell) : doorbell_(doorbell) {}

  // Begins a publish of the current worker. Returns what to pass to put() with its result; 0: too
  // many are under way.
  std::uint64_t open() {
    const MutexLock lock(mutex_);
    if (open_ >= kMax) return 0;
    ++open_;
    return worker_;
  }
  // The publish that was begun last has failed and has no result.
  void drop() {
    const MutexLock lock(mutex_);
    --open_;
  }
  // A result. It is ignored if it is for an earlier worker. [any]
  void put(std::uint64_t worker, Published published) {
    const MutexLock lock(mutex_);
    if (worker != worker_) return;
    --open_;
    results_.push_back(std::move(published));
    if (doorbell_ >= 0) static_cast<void>(::eventfd_write(doorbell_, 1));
  }
  std::vector<Published> take() {
    const MutexLock lock(mutex_);
    return std::exchange(results_, {});
  }
  // The current worker is replaced: results that are on their way are for nobody.
  void next_worker() {
    const MutexLock lock(mutex_);
    ++worker_;
    open_ = 0;
    results_.clear();
  }
  // The link goes away.
  void close() {
    const MutexLock lock(mutex_);
    ++worker_;
    doorbell_ = -1;
  }

 private:
  Mutex mutex_;
  int doorbell_ TRIGGERD_GUARDED_BY(mutex_);
  std::uint64_t worker_ TRIGGERD_GUARDED_BY(mutex_) = 1;
  std::size_t open_ TRIGGERD_GUARDED_BY(mutex_) = 0;
  std::vector<Published> results_ TRIGGERD_GUARDED_BY(mutex_);
};

}  // namespace triggerd::plugin::isolation
