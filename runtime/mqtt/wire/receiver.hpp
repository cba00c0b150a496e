// What the library's receive thread does between two packets: it asks poll(2) for more. With a
// buffer ahead the answer is mostly known without asking the system; and the moment it is not, is
// the end of a batch.
//
// One for each thread that reads; the library has one such thread. Its own, without a lock.
#pragma once

#include <poll.h>

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "mqtt/wire/link.hpp"

namespace triggerd::mqtt::wire {

// Gets the receive thread out of poll(2): something of a link has changed. [any]
void wake_receiver();

class Receiver {
 public:
  static Receiver& of_this_thread();
  // Whether this thread has read from a link, or polled for one, or has said what it is.
  static bool is_receive_thread();
  static void is_this_thread();

  // The link whose bytes the library is handling; null before the first.
  const std::shared_ptr<Link>& current() const { return current_; }
  void reading(Link& link);

  // Why the packet that the library reads is refused, until it reads the next one, or asks for
  // more: it tells of that meanwhile.
  void note_refusal(std::string why) { refusal_ = std::move(why); }
  void forget_refusal() { refusal_.clear(); }
  const std::string& refusal() const { return refusal_; }

  // As poll(2).
  int poll(pollfd* fds, nfds_t count, int timeout_ms);
  // Instead of a sleep: returns early where the descriptors of the last poll are readable.
  void sleep(int timeout_ms);

  std::unique_ptr<char[]> take_buffer(std::size_t size);
  void give_buffer(std::unique_ptr<char[]> buffer);

 private:
  void refresh(const pollfd* fds, nfds_t count);
  int answer_writable(pollfd* fds, nfds_t count);
  int answer_buffered(pollfd* fds, nfds_t count) const;
  int wait(pollfd* fds, nfds_t count, int timeout_ms);
  void end_batch();

  std::shared_ptr<Link> current_;
  std::vector<std::shared_ptr<Link>> touched_;  // since the last batch ended
  std::vector<pollfd> polled_;                  // what the library asked for last
  std::vector<std::shared_ptr<Link>> links_;    // of polled_, in its order; null: not ours
  std::vector<pollfd> asked_;                   // what the system is asked
  std::string refusal_;
  bool asks_again_ = false;  // the last wait ended for what is new
  std::vector<std::unique_ptr<char[]>> buffers_;
};

// The link that the library reads from, made where there is none. It reads packet after packet from
// one connection, so mostly it is the one before, which the receiver keeps; else `keep` does. [any]
Link& link_to_read(int fd, std::shared_ptr<Link>& keep);

}  // namespace triggerd::mqtt::wire
