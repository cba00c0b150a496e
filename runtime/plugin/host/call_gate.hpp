// Which host functions a plugin may call now, and how many of its calls are inside.
//
// A lock of its own, which is not held during a call. Calls enter on any thread; the state changes
// on the control thread.
#pragma once

#include "base/mutex.hpp"

namespace triggerd::plugin {

class CallGate {
 public:
  enum class State { created, started, stopping, stopped };

  CallGate() = default;
  CallGate(const CallGate&) = delete;
  CallGate& operator=(const CallGate&) = delete;

  void set_state(State state) {
    const MutexLock lock(mutex_);
    state_ = state;
  }
  // Lets no call in any more, and waits for those inside. [control]
  void close() {
    const MutexLock lock(mutex_);
    closed_ = true;
    while (inside_ > 0) left_.wait(mutex_);
  }

  // A call's stay inside, where the state is one from `first` to `last`; else it is refused. [any]
  class Entry {
   public:
    Entry(CallGate& gate, State first, State last)
        : gate_(gate), entered_(gate.enter(first, last)) {}
    ~Entry() {
      if (entered_) gate_.leave();
    }
    Entry(const Entry&) = delete;
    Entry& operator=(const Entry&) = delete;
    explicit operator bool() const { return entered_; }

   private:
    CallGate& gate_;
    const bool entered_;
  };

 private:
  bool enter(State first, State last) {
    const MutexLock lock(mutex_);
    if (closed_ || state_ < first || state_ > last) return false;
    ++inside_;
    return true;
  }
  void leave() {
    const MutexLock lock(mutex_);
    --inside_;
    left_.notify_all();
  }

  Mutex mutex_;
  CondVar left_;
  State state_ TRIGGERD_GUARDED_BY(mutex_) = State::created;
  bool closed_ TRIGGERD_GUARDED_BY(mutex_) = false;
  unsigned inside_ TRIGGERD_GUARDED_BY(mutex_) = 0;
};

}  // namespace triggerd::plugin
