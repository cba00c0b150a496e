// What the library's receive thread does between two packets, when it asks poll(2) for more: here
// what has come is read and taken, and the library is told of packets that are its own. It asks the
// system nothing itself.
//
// Each thread that reads has its own, without a lock; the library has one such thread.
#pragma once

#include <poll.h>

#include <memory>
#include <utility>
#include <vector>

#include "base/clock.hpp"
#include "mqtt/wire/link.hpp"

namespace triggerd::mqtt::wire {

// Gets the receive thread out of poll(2), since something about a link has changed. [any]
void wake_receiver();
// The same, and the library asks again: there is a connection that it has not asked for. [any]
void wake_library();

class Receiver {
 public:
  // `clock` has to be the one that poll(2) waits by.
  explicit Receiver(const Clock& clock) : clock_(clock) {}
  static Receiver& of_this_thread();
  // Whether this thread has polled, or has said that it is the receive thread.
  static bool is_receive_thread();
  static void is_this_thread();

  // As poll(2).
  int poll(pollfd* fds, nfds_t count, int timeout_ms);
  // Instead of a sleep: returns early when a descriptor of the last poll is readable.
  void sleep(int timeout_ms);

  std::unique_ptr<char[]> take_buffer(std::size_t size);
  void give_buffer(std::unique_ptr<char[]> buffer);

 private:
  void refresh(const pollfd* fds, nfds_t count);
  int answer_writable(pollfd* fds, nfds_t count);
  void take_what_is_here();
  int answer_library(pollfd* fds, nfds_t count) const;
  int wait(pollfd* fds, nfds_t count, int timeout_ms);
  static short serve(Link& link, int events, int wanted, bool woken);
  int left_ms(Monotonic until) const;
  int time_to_wait(Monotonic until) const;
  void look_at_links(Monotonic now);

  const Clock& clock_;
  std::vector<pollfd> polled_;                // what the library asked for last
  std::vector<std::shared_ptr<Link>> links_;  // of polled_, in its order; null: not ours
  std::vector<pollfd> asked_;                 // what the system is asked
  bool asks_again_ = false;                   // the last wait ended for what is new
  Monotonic next_look_{};                     // at what is due on a link
  std::vector<std::unique_ptr<char[]>> buffers_;
};

}  // namespace triggerd::mqtt::wire
