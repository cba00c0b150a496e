// Acknowledgements of messages that are finished one after another leave together: after 64 of
// them, after 2 ms, or when the workers are idle.
#pragma once

#include <atomic>
#include <functional>

#include "base/event_loop.hpp"
#include "base/task_guard.hpp"

namespace triggerd::trigger {

// Thread-safe, and without a lock: a message that is finished costs one atomic increment here.
class AckFlusher {
 public:
  static constexpr unsigned kFlushAfter = 64;
  static constexpr Millis kFlushWithin{2};

  // `write` sends what has been released; it is called on any thread. `timer` outlives the flusher,
  // or has passed after end_tasks().
  AckFlusher(EventLoop& timer, std::function<void()> write);

  // One more acknowledgement was released. `flush_follows`: the caller knows that flush() comes
  // right away, so no timer is needed. [any]
  void add(bool flush_follows);
  // Writes what was added since the last flush, if anything was. [any]
  void flush();
  // No task that is left with the timer begins any more. [control]
  void end_tasks() { tasks_.end(); }

 private:
  EventLoop& timer_;
  const std::function<void()> write_;
  std::atomic<unsigned> waiting_{0};
  std::atomic<bool> armed_{false};
  TaskGuard tasks_;
};

}  // namespace triggerd::trigger
