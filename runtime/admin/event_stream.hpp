// One client's server-sent events, between the thread that has the events and the thread that owns
// the socket. It never waits for the client: what does not fit is left out and counted.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>

#include "base/mutex.hpp"
#include "management/events.hpp"

namespace triggerd::admin {

// Which events one client wants.
struct EventChoice {
  std::string trigger;             // empty: all
  std::vector<std::string> kinds;  // empty: all

  bool wants(const management::AdminEvent& event) const;
  bool wants_messages() const;
};

// Thread-safe.
class EventStream {
 public:
  static constexpr std::size_t kBuffer = std::size_t{256} << 10;

  explicit EventStream(EventChoice choice) : choice_(std::move(choice)) {}
  const EventChoice& choice() const { return choice_; }

  // Puts one event's text into the buffer, or counts it as missed.
  void offer(const std::string& text);
  // Counts `events` as missed, which the runtime itself has dropped.
  void missed(std::uint64_t events);
  // All there is to send, followed by an event that says how many were missed, if any were; empty:
  // there is nothing to send.
  std::string take();
  // `wake` is called, on any thread, when there is something to take, and then not again before the
  // next take(); and when the stream is closed. It is called with the lock held, so it must not
  // call this object. Null: nothing is called any more.
  void on_wake(std::function<void()> wake);

  void close();
  bool closed() const;

 private:
  void call_wake() TRIGGERD_REQUIRES(mutex_);

  const EventChoice choice_;
  mutable Mutex mutex_;
  std::string buffer_ TRIGGERD_GUARDED_BY(mutex_);
  std::uint64_t missed_ TRIGGERD_GUARDED_BY(mutex_) = 0;
  bool closed_ TRIGGERD_GUARDED_BY(mutex_) = false;
  bool woken_ TRIGGERD_GUARDED_BY(mutex_) = false;
  std::function<void()> wake_ TRIGGERD_GUARDED_BY(mutex_);
};

}  // namespace triggerd::admin
