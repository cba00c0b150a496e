// What the library's receive thread does between two packets: it asks poll(2) for more. That is
// where packets are taken; the library is told of those that are its own, and asks the system
// nothing.
//
// One for each thread that reads; the library has one such thread. Its own, without a lock.
#pragma once

#include <poll.h>

#include <memory>
#include <utility>
#include <vector>

#include "base/clock.hpp"
#include "mqtt/wire/link.hpp"

namespace triggerd::mqtt::wire {

// Gets the receive thread out of poll(2): something of a link has changed. [any]
void wake_receiver();
// The same, for the library to ask again: there is a connection that it has not asked for. [any]
void wake_library();

class Receiver {
 public:
  static Receiver& of_this_thread();
  // Whether this thread has polled for a link, or has said what it is.
  static bool is_receive_thread();
  static void is_this_thread();

  // As poll(2).
  int poll(pollfd* fds, nfds_t count, int timeout_ms);
  // Instead of a sleep: returns early where the descriptors of the last poll are readable.
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
  int time_to_wait(Monotonic until) const;
  void look_at_links(Monotonic now);

  std::vector<pollfd> polled_;                // what the library asked for last
  std::vector<std::shared_ptr<Link>> links_;  // of polled_, in its order; null: not ours
  std::vector<pollfd> asked_;                 // what the system is asked
  bool asks_again_ = false;                   // the last wait ended for what is new
  Monotonic next_look_{};                     // at what is due on a link
  std::vector<std::unique_ptr<char[]>> buffers_;
};

}  // namespace triggerd::mqtt::wire
