// Who waits for messages: workers, which sleep until one may be taken, and the link of a worker
// process, which has more to wait for and is called instead.
#pragma once

#include <cstddef>
#include <functional>
#include <utility>

#include "base/mutex.hpp"

namespace triggerd::dispatch {

// Guarded by its dispatcher's lock, except what is marked [any].
class Takers {
 public:
  // Sleeps until a wake, with the dispatcher's lock released meanwhile. [worker]
  void wait(Mutex& mutex) TRIGGERD_REQUIRES(mutex) {
    ++sleeping_;
    wake_.wait(mutex);
    --sleeping_;
  }
  std::size_t sleeping() const { return sleeping_; }
  // Wakes `count` sleeping workers, each of which may find nothing. [any]
  void wake_workers(std::size_t count) {
    if (count > 1) {
      wake_.notify_all();
    } else if (count == 1) {
      wake_.notify_one();
    }
  }
  // Wakes the link, and a sleeping worker for each of the `calls` that may begin.
  void wake(std::size_t calls) {
    wake_link();
    wake_workers(calls < sleeping_ ? calls : sleeping_);
  }
  void wake_all() {
    wake_link();
    wake_.notify_all();
  }

  // `waker` is called without delay, on any thread, once a message may be taken. Empty: there is no
  // link any more.
  void set_link(std::function<void()> waker) {
    link_ = std::move(waker);
    link_waits_ = true;
  }
  // Whether the link has found nothing, and is to be called.
  void link_waits(bool waits) { link_waits_ = waits; }
  void wake_link() {
    if (link_ && std::exchange(link_waits_, false)) link_();
  }

 private:
  CondVar wake_;
  std::size_t sleeping_ = 0;
  std::function<void()> link_;
  bool link_waits_ = false;
};

}  // namespace triggerd::dispatch
