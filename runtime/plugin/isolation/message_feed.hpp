// Hands messages to a worker: through the ring, or beside it on the socket where they are too long.
//
// [link], without a lock.
#pragma once

#include <cstdint>
#include <deque>
#include <string>
#include <string_view>
#include <utility>

#include "plugin/isolation/frames.hpp"
#include "plugin/isolation/protocol.hpp"
#include "plugin/isolation/ring.hpp"
#include "plugin/isolation/shared_memory.hpp"
#include "plugin/work.hpp"

namespace triggerd::plugin::isolation {

class MessageFeed {
 public:
  // Both outlive it.
  MessageFeed(SharedLayout& shared, HostSocket& socket)
      : shared_(shared), socket_(socket), ring_(shared.to_worker, shared.to_worker_bytes) {}

  // The worker was told to run: messages may go to it.
  void open() { open_ = true; }
  // It was told to join. What waits for room in the ring is dropped, as the source gives it again.
  void close();
  // Hands over what there is room for, and wakes the worker where it got something. `busy_ns` is
  // how long the service takes for a message on average; 0 where that is not known yet.
  void feed(WorkSource& source, std::uint64_t busy_ns);
  // The worker has taken all of it.
  bool drained() const { return ring_.drained() && backlog_.empty(); }
  // What the worker did to the ring that the protocol does not allow; empty: nothing.
  std::string_view protocol_error() const { return protocol_error_; }

 private:
  void take_from(WorkSource& source, std::uint64_t busy_ns);
  bool send(const trigger_message& message, bool follows);
  bool write(ToWorker type, std::string_view record);
  void wake_worker();

  SharedLayout& shared_;
  HostSocket& socket_;
  RingWriter ring_;
  std::deque<std::pair<ToWorker, std::string>> backlog_;  // for the ring, while that is full
  std::string record_;                                    // kept for its memory
  std::string_view protocol_error_;
  bool open_ = false;
  bool written_ = false;  // something that the worker was not woken for yet
};

}  // namespace triggerd::plugin::isolation
