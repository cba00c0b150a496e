#include "mqtt/wire/gate.hpp"

#include <algorithm>

namespace triggerd::mqtt::wire {
namespace {

constexpr std::size_t kLongestAck = 127;  // one byte of remaining length, and then some for a frame

std::optional<Ack> parse_plain(std::string_view bytes) {
  const auto byte = [bytes](std::size_t i) { return static_cast<std::uint8_t>(bytes[i]); };
  if (bytes.size() < 4 || byte(1) != bytes.size() - 2) return std::nullopt;
  const auto id = static_cast<std::uint16_t>(byte(2) << 8 | byte(3));
  switch (byte(0)) {
    case 0x40:
      return Ack{AckKind::puback, id};
    case 0x50:
      return Ack{AckKind::pubrec, id};
    case 0x70:
      return Ack{AckKind::pubcomp, id};
    default:
      return std::nullopt;
  }
}

}  // namespace

std::optional<Ack> parse_ack(std::string_view bytes) {
  if (bytes.size() > kLongestAck) return std::nullopt;
  // A client's frame: final, binary, masked, the length in the second byte, and a mask of four. No
  // MQTT packet of this size looks so: 0x82 is SUBSCRIBE, whose second byte would be a bare length.
  constexpr std::size_t kFrameHeader = 6;
  const bool framed = bytes.size() > kFrameHeader && static_cast<std::uint8_t>(bytes[0]) == 0x82 &&
                      static_cast<std::uint8_t>(bytes[1]) == (0x80 | (bytes.size() - kFrameHeader));
  if (!framed) return parse_plain(bytes);
  std::string packet(bytes.substr(kFrameHeader));
  for (std::size_t i = 0; i < packet.size(); ++i) {
    packet[i] = static_cast<char>(packet[i] ^ bytes[2 + i % 4]);
  }
  return parse_plain(packet);
}

Gate::Ticket Gate::hold(Ack ack) {
  Queue& q = queue(ack.kind);
  q.entries.push_back({.packet_id = ack.packet_id, .released = false, .bytes = {}});
  return q.first + q.entries.size() - 1;
}

void Gate::release(AckKind kind, Ticket ticket) {
  Queue& q = queue(kind);
  if (ticket < q.first) return;
  const auto index = static_cast<std::size_t>(ticket - q.first);
  if (index < q.entries.size()) q.entries[index].released = true;
}

std::optional<Gate::Ticket> Gate::written(Ack ack, std::string_view bytes, bool hold_unclaimed) {
  Queue& q = queue(ack.kind);
  // The library answers in order, so the one that waits for its bytes is nearly always the last.
  const auto waiting = std::find_if(q.entries.rbegin(), q.entries.rend(), [ack](const Entry& e) {
    return e.bytes.empty() && e.packet_id == ack.packet_id;
  });
  if (waiting != q.entries.rend()) {
    waiting->bytes = bytes;
    return std::nullopt;
  }
  q.entries.push_back(
      {.packet_id = ack.packet_id, .released = !hold_unclaimed, .bytes = std::string(bytes)});
  if (!hold_unclaimed) return std::nullopt;
  return q.first + q.entries.size() - 1;
}

std::size_t Gate::take(std::string& out) {
  std::size_t taken = 0;
  for (Queue& q : queues_) {
    while (!q.entries.empty() && q.entries.front().released && !q.entries.front().bytes.empty()) {
      out += q.entries.front().bytes;
      q.entries.pop_front();
      ++q.first;
      ++taken;
    }
  }
  return taken;
}

std::size_t Gate::size() const {
  std::size_t total = 0;
  for (const Queue& q : queues_) total += q.entries.size();
  return total;
}

}  // namespace triggerd::mqtt::wire
