// Results of publishes on their way to a worker. Whoever publishes tells them on any thread, also
// when the worker, or the whole link, has gone.
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
  // As Publishes::kMax, which the worker keeps where it is sound.
  static constexpr std::size_t kMax = 10'000;

  explicit Mailbox(int doorbell) : doorbell_(doorbell) {}

  // For a publish of the worker that is there now: what its result is brought with. 0: too many are
  // under way.
  std::uint64_t open() {
    const MutexLock lock(mutex_);
    if (open_ >= kMax) return 0;
    ++open_;
    return worker_;
  }
  void drop() {
    const MutexLock lock(mutex_);
    --open_;
  }
  void put(std::uint64_t worker, Published published) {
    const MutexLock lock(mutex_);
    if (worker != worker_) return;
    --open_;
    letters_.push_back(std::move(published));
    if (doorbell_ >= 0) static_cast<void>(::eventfd_write(doorbell_, 1));
  }
  std::vector<Published> take() {
    const MutexLock lock(mutex_);
    return std::exchange(letters_, {});
  }
  // Another worker comes, and what is on its way is for nobody.
  void next_worker() {
    const MutexLock lock(mutex_);
    ++worker_;
    open_ = 0;
    letters_.clear();
  }
  // The link goes.
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
  std::vector<Published> letters_ TRIGGERD_GUARDED_BY(mutex_);
};

}  // namespace triggerd::plugin::isolation
