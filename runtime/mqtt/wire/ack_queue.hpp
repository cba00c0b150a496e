// The acknowledgements that one connection owes its server for the packets that came, and which of
// them may leave.
//
// PUBACK, PUBREC and PUBCOMP each leave in the order in which their packets arrived [MQTT-4.6.0],
// and none before release() was called for it. A plain data structure: its owner's lock is around
// it.
#pragma once

#include <array>
#include <cstdint>
#include <deque>
#include <string>
#include <vector>

namespace triggerd::mqtt::wire {

enum class AckKind : std::uint8_t { puback, pubrec, pubcomp };

struct Ack {
  AckKind kind;
  std::uint16_t packet_id;
};

class AckQueue {
 public:
  // Names one held acknowledgement among those of its kind.
  using Ticket = std::uint64_t;

  // The acknowledgement stays here until release(); with `released` it only waits for its turn.
  Ticket hold(Ack ack, bool released = false);
  void release(AckKind kind, Ticket ticket);
  // Appends to `out` what may leave, packet by packet. Returns how many acknowledgements that is.
  std::size_t take(std::string& out);
  // How many are held or wait for their turn.
  std::size_t size() const;
  // How many messages of QoS 1 and 2 came whose PUBACK or PUBCOMP has not left (MQTT 5.0, section
  // 4.9).
  std::size_t unconfirmed() const;
  // A message of QoS 2 came: it is unconfirmed until its PUBCOMP has left.
  void begin_exactly_once(std::uint16_t packet_id);
  // Whether a message with this packet id is unconfirmed: one that is repeated is the same message.
  bool has_begun(std::uint16_t packet_id) const {
    return packet_id < exactly_once_.size() && exactly_once_[packet_id];
  }

 private:
  struct Entry {
    std::uint16_t packet_id = 0;
    bool released = false;
  };
  struct Queue {
    std::deque<Entry> entries;
    Ticket first = 0;  // of entries.front()
  };
  Queue& queue(AckKind kind) { return queues_[static_cast<std::size_t>(kind)]; }

  std::array<Queue, 3> queues_;
  std::vector<bool> exactly_once_;  // by packet id: those that began on this connection
  std::size_t exactly_once_count_ = 0;
};

}  // namespace triggerd::mqtt::wire
