// The little of MQTT 3.1.1 that a fake server and a discarding reader need. Made to be quick, and
// nothing else: what it does not know is for its caller to refuse.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace bench::mqtt {

enum class Type : std::uint8_t {
  connect = 1,
  connack,
  publish,
  puback,
  pubrec,
  pubrel,
  pubcomp,
  subscribe,
  suback,
  unsubscribe,
  unsuback,
  pingreq,
  pingresp,
  disconnect,
};

// The fixed header of a packet.
struct Head {
  std::uint8_t first = 0;
  std::size_t size = 0;    // of the header
  std::size_t length = 0;  // of what follows it
  Type type() const { return static_cast<Type>(first >> 4); }
  int qos() const { return first >> 1 & 3; }
};

enum class Found : std::uint8_t { whole, part, broken };

// The fixed header at the front of `bytes`; `part` where there is more to come.
inline Found read_head(std::string_view bytes, Head& head) {
  if (bytes.empty()) return Found::part;
  head.first = static_cast<std::uint8_t>(bytes[0]);
  head.length = 0;
  for (std::size_t i = 1; i <= 4; ++i) {
    if (i == bytes.size()) return Found::part;
    const auto byte = static_cast<std::uint8_t>(bytes[i]);
    head.length |= static_cast<std::size_t>(byte & 0x7f) << 7 * (i - 1);
    if ((byte & 0x80) == 0) {
      head.size = i + 1;
      return Found::whole;
    }
  }
  return Found::broken;
}

inline std::uint16_t number(std::string_view two_bytes) {
  return static_cast<std::uint16_t>(static_cast<std::uint8_t>(two_bytes[0]) << 8 |
                                    static_cast<std::uint8_t>(two_bytes[1]));
}

inline void append_number(std::string& out, std::size_t value) {
  out += static_cast<char>(value >> 8 & 0xff);
  out += static_cast<char>(value & 0xff);
}

inline void append_head(std::string& out, Type type, unsigned flags, std::size_t length) {
  out += static_cast<char>(static_cast<unsigned>(type) << 4 | flags);
  do {
    const std::size_t byte = length & 0x7f;
    length >>= 7;
    out += static_cast<char>(length > 0 ? byte | 0x80 : byte);
  } while (length > 0);
}

// PUBACK, PUBREC, PUBREL, PUBCOMP, UNSUBACK.
inline void append_ack(std::string& out, Type type, std::uint16_t id) {
  append_head(out, type, type == Type::pubrel ? 2 : 0, 2);
  append_number(out, id);
}

// Everything of a PUBLISH that comes before a payload of `payload` bytes. The packet id is left out
// at QoS 0.
inline void append_publish_head(std::string& out, int qos, std::string_view topic, std::uint16_t id,
                                std::size_t payload) {
  const std::size_t id_size = qos > 0 ? 2 : 0;
  append_head(out, Type::publish, static_cast<unsigned>(qos) << 1,
              2 + topic.size() + id_size + payload);
  append_number(out, topic.size());
  out += topic;
  if (qos > 0) append_number(out, id);
}

}  // namespace bench::mqtt
