// Calls of a brief service by the thread that has read the message, which saves waking a worker.
// That thread takes its messages with no lock held, once the batches of all connections are handed
// over (base/deferred.hpp): the service may publish. Which instance is called, and whether it is
// still there, is up to the InlineWorker.
//
// A call that keeps the receive thread for too long is noticed when it returns, or after a second
// if it does not, and is the last one: the service is not brief.
#pragma once

#include <atomic>
#include <cstddef>
#include <memory>
#include <optional>
#include <thread>

#include "base/clock.hpp"
#include "dispatch/dispatch_event.hpp"
#include "plugin/work.hpp"

namespace triggerd::dispatch {

// Guarded by its dispatcher's lock, except what is marked [any].
class InlineCalls {
 public:
  void set_worker(std::shared_ptr<plugin::InlineWorker> worker) { worker_ = std::move(worker); }
  bool has_worker() const { return worker_ != nullptr; }

  // Leaves `messages`, which have just come and are all there are, to this thread, for later.
  // False: they go to workers. [receive thread]
  bool defer(std::size_t messages, std::size_t max_batch, Monotonic now);
  // This thread has come for its messages. [receive thread]
  void enter_thread() { thread_ = std::this_thread::get_id(); }
  // A call begins on it.
  void begin(Monotonic now);
  // No call is under way, for now.
  void end_call() { began_.reset(); }
  // The thread goes back to receiving. [receive thread]
  void leave_thread() { thread_ = std::thread::id(); }
  // When the call began that the receive thread is in; nullopt if it is in none.
  std::optional<Monotonic> since() const { return began_; }
  bool under_way() const { return began_.has_value(); }
  // Whether the calling thread is the one that calls inline. [any]
  bool on_this_thread() const {
    return thread_.load(std::memory_order_relaxed) == std::this_thread::get_id();
  }

  // Makes no more calls, after one that took `kept`: the service is not brief. nullopt: that was
  // known.
  std::optional<event::NotBrief> give_up(Monotonic::duration kept, bool returned);
  // When look() is to be called; nullopt: nothing is to be looked at.
  std::optional<Monotonic> look_at() const { return look_at_; }
  struct Look {
    bool wake_workers = false;  // the thread that was to come may be kept by another trigger
    std::optional<event::NotBrief> not_brief;
  };
  Look look(Monotonic now);

 private:
  void look_from(Monotonic now);

  std::shared_ptr<plugin::InlineWorker> worker_;
  std::optional<Monotonic> began_;
  std::optional<Monotonic> look_at_;
  std::atomic<std::thread::id> thread_{};
};

}  // namespace triggerd::dispatch
