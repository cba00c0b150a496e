// The keep-alive of one connection: when a ping is due, and when a silent server counts as gone.
//
// A ping is due once nothing has come, or nothing has been sent, for the keep-alive. The server has
// half a keep-alive to answer; anything that comes is an answer. It has no clock and no socket:
// whoever owns it says what happens and when, and does what look() says.
#pragma once

#include <atomic>
#include <string>
#include <string_view>

#include "base/clock.hpp"

namespace triggerd::mqtt::wire {

class KeepAlive {
 public:
  // Zero: without. Before anything else.
  void set(Millis keep_alive) { keep_alive_ = keep_alive; }
  bool without() const { return keep_alive_ <= Millis(0); }
  Millis interval() const { return keep_alive_; }

  // Bytes have come. [receive thread]
  void received(Monotonic now) {
    received_ = now;
    pinged_ = Monotonic{};
  }
  // Bytes have left. [any]
  void sent(Monotonic now) { sent_ = now; }
  // A ping that somebody else made has left. [any]
  void pinged(Monotonic now) {
    Monotonic not_yet{};  // the ping that has waited longest for its answer is the one that counts
    pinged_.compare_exchange_strong(not_yet, now);
  }
  // Nothing is read on purpose, so silence means nothing. [receive thread]
  void not_reading(Monotonic now) { received(now); }

  struct Verdict {
    enum class Action { none, ping, end };
    Action action;
    Monotonic look_again;       // not after an end
    std::string_view why = {};  // it ends: what the server does not do
  };
  // What to do now. `in_packet`: a packet has been written in part, or others wait for room, so no
  // ping can leave, and a server that takes more of them is there. Wants: not without(). [receive
  // thread]
  Verdict look(Monotonic now, bool in_packet);
  // For a log line: how long the server has been silent, and `why`. [receive thread]
  std::string end_text(Monotonic now, std::string_view why) const;

 private:
  Monotonic::duration patience() const { return Monotonic::duration(keep_alive_) / 2; }

  Millis keep_alive_{0};
  Monotonic received_{};                        // the last bytes; the receive thread's
  std::atomic<Monotonic> sent_{Monotonic{}};    // the last bytes
  std::atomic<Monotonic> pinged_{Monotonic{}};  // and nothing has come since; the epoch: not
};

}  // namespace triggerd::mqtt::wire
