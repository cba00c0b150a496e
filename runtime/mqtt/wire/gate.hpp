// The acknowledgement gate of one connection: what the library has acknowledged, and what may
// leave.
//
// PUBACK, PUBREC and PUBCOMP each leave in the order in which their packets arrived [MQTT-4.6.0],
// and none before release() was called for it. A plain data structure: the link's lock is around
// it.
#pragma once

#include <array>
#include <cstdint>
#include <deque>
#include <optional>
#include <string>
#include <string_view>

namespace triggerd::mqtt::wire {

enum class AckKind : std::uint8_t { puback, pubrec, pubcomp };

struct Ack {
  AckKind kind;
  std::uint16_t packet_id;
};

// The acknowledgement that `bytes`, one write of the library, are; nullopt for everything else.
// Knows plain MQTT and a masked WebSocket frame around it (RFC 6455, section 5.2).
std::optional<Ack> parse_ack(std::string_view bytes);

class Gate {
 public:
  // Names one held acknowledgement of its kind.
  using Ticket = std::uint64_t;

  // The acknowledgement that the library is about to write for `ack` stays here until release().
  Ticket hold(Ack ack);
  void release(AckKind kind, Ticket ticket);
  // The library has written it. One that nobody holds leaves as soon as its turn comes; with
  // `hold_unclaimed` it is held too, and the result names it.
  std::optional<Ticket> written(Ack ack, std::string_view bytes, bool hold_unclaimed = false);
  // Appends to `out` what may leave; how many acknowledgements that is.
  std::size_t take(std::string& out);
  // Held or waiting for their turn.
  std::size_t size() const;

 private:
  struct Entry {
    std::uint16_t packet_id = 0;
    bool released = false;
    std::string bytes;  // empty until the library has written it
  };
  struct Queue {
    std::deque<Entry> entries;
    Ticket first = 0;  // of entries.front()
  };
  Queue& queue(AckKind kind) { return queues_[static_cast<std::size_t>(kind)]; }

  std::array<Queue, 3> queues_;
};

}  // namespace triggerd::mqtt::wire
