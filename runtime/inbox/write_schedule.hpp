// When the writer's thread has something to do.
//
// The owner's lock guards it. It neither reads a clock nor waits: whoever calls says what time it
// is.
#pragma once

#include "base/clock.hpp"

namespace triggerd::inbox {

class WriteSchedule {
 public:
  // Something was queued that is to be written within `grace`. True: that is earlier than anything
  // that was queued before.
  bool write_within(Monotonic now, Millis grace) {
    const Monotonic due = now + grace;
    if (due >= due_) return false;
    due_ = due;
    return true;
  }
  // Nothing is queued any more: it was taken, or has come to nothing.
  void nothing_is_queued() { due_ = Monotonic::max(); }
  bool is_anything_queued() const { return due_ != Monotonic::max(); }
  // What is queued is written now. Holds until nothing is.
  void hurry() { urgent_ = true; }
  // What is queued is written now, and then the thread ends.
  void end() { ending_ = true; }
  bool ending() const { return ending_; }

  // The thread has nothing to do until something is queued, or until it is time to look at the file
  // and its volume.
  void rest_until(Monotonic look) { look_due_ = look; }

  enum class Step { wait, write, look, end };
  Step next(Monotonic now) {
    if (is_anything_queued()) {
      return due_ <= now || urgent_ || ending_ ? Step::write : Step::wait;
    }
    urgent_ = false;
    if (ending_) return Step::end;
    return look_due_ <= now ? Step::look : Step::wait;
  }
  // After Step::wait: when to ask again, unless something changes before.
  Monotonic wake_at() const { return is_anything_queued() ? due_ : look_due_; }

 private:
  Monotonic due_ = Monotonic::max();       // of what is queued; max(): nothing is
  Monotonic look_due_ = Monotonic::max();  // where nothing is
  bool urgent_ = false;
  bool ending_ = false;
};

}  // namespace triggerd::inbox
