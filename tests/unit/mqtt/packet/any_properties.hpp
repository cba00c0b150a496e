// Whatever bytes stand where the properties of a packet should be: nothing breaks, and what is let
// through is what MQTT 5.0 allows there (section 2.2.2.2). For the fuzzer and for its corpus.
#pragma once

#include <algorithm>
#include <cstdint>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "mqtt/packet/packet_check.hpp"
#include "mqtt/packet/packet_type.hpp"
#include "mqtt/packet/properties.hpp"
#include "unit/mqtt/packet/any_packets.hpp"

namespace triggerd::mqtt {

// A packet of the server: what stands before its properties and behind them, and which it may have.
struct PacketWithProperties {
  std::uint8_t first;
  std::string before;
  std::string behind;
  std::set<std::uint32_t> allowed;
};

inline std::vector<PacketWithProperties> packets_with_properties() {
  using namespace packet_type;
  const auto first = [](std::uint8_t type) { return static_cast<std::uint8_t>(type << 4); };
  const std::string id("\0\1", 2);
  const std::string reason = id + '\0';
  const std::set<std::uint32_t> said{0x1f, 0x26};
  return {{first(kConnack),
           std::string("\0\0", 2),
           "",
           {0x11, 0x12, 0x13, 0x15, 0x16, 0x1a, 0x1c, 0x1f, 0x21, 0x22, 0x24, 0x25, 0x26, 0x27,
            0x28, 0x29, 0x2a}},
          {first(kPublish),
           std::string("\0\1t", 3),
           "p",
           {0x01, 0x02, 0x03, 0x08, 0x09, 0x0b, 0x23, 0x26}},
          {first(kPuback), reason, "", said},
          {first(kPubrec), reason, "", said},
          {static_cast<std::uint8_t>(first(kPubrel) | 2U), reason, "", said},
          {first(kPubcomp), reason, "", said},
          {first(kSuback), std::string("\0\7", 2), "\1", said},
          {first(kUnsuback), std::string("\0\x08", 2), std::string(1, '\0'), said},
          {first(kDisconnect), "\x8b", "", {0x1c, 0x1f, 0x26}}};
}

// As if CONNECT with topic aliases, SUBSCRIBE and UNSUBSCRIBE had left, and CONNACK had come.
inline void prepare(PacketCheck& check, bool connected) {
  check.sends({"\x10\x11\0\4MQTT\5\2\0\0\3\x22\0\5\0\1c", 19});
  check.sends({"\x82\x07\0\7\0\0\1a\1", 9});
  check.sends({"\xa2\x06\0\x08\0\0\1a", 8});
  if (connected) expect_holds(!check.look(0x20, std::string_view("\0\0\0", 3)));
}

inline std::string variable_of(std::size_t value) {
  std::string bytes;
  do {
    const std::size_t digit = value & 0x7fU;
    value >>= 7U;
    bytes += static_cast<char>(digit | (value > 0 ? 0x80U : 0U));
  } while (value > 0);
  return bytes;
}

inline bool lies_in(std::string_view part, std::string_view bytes) {
  return part.empty() ||
         (part.data() >= bytes.data() && part.data() + part.size() <= bytes.data() + bytes.size());
}

// Those that may be there once only, and are.
inline bool are_single(const std::vector<Property>& properties) {
  std::set<std::uint32_t> seen;
  return std::all_of(properties.begin(), properties.end(), [&seen](const Property& one) {
    return one.id == property::kUser || one.id == property::kSubscriptionId ||
           seen.insert(one.id).second;
  });
}

inline void look_at_any_properties(std::string_view bytes) {
  const auto decoded = decode_properties(bytes);
  if (decoded) {
    std::string again;
    for (const Property& one : *decoded) {
      expect_holds(property_type(one.id).has_value());
      expect_holds(lies_in(one.name, bytes) && lies_in(one.value, bytes));
      encode_property(again, one);
    }
    const auto twice = decode_properties(again);
    expect_holds(twice && *twice == *decoded && again.size() <= bytes.size());
    (void)check_publish_properties(*decoded);
    (void)publishable(*decoded);
  } else {
    expect_holds(!decoded.error().message.empty());
  }
  (void)user_property(bytes, "k");

  for (const PacketWithProperties& packet : packets_with_properties()) {
    PacketCheck check;
    prepare(check, packet.first >> 4 != packet_type::kConnack);
    const std::string body =
        packet.before + variable_of(bytes.size()) + std::string(bytes) + packet.behind;
    const auto wrong = check.look(packet.first, body);
    expect_holds(wrong.has_value() || decoded.has_value());
    if (wrong) {
      expect_holds(!wrong->what.empty() && wrong->reason >= 0x80);
      expect_holds(std::none_of(wrong->what.begin(), wrong->what.end(),
                                [](unsigned char c) { return c < ' ' || c == 127; }));
      expect_holds(decoded || wrong->reason == disconnect_reason::kMalformed);
      continue;
    }
    expect_holds(are_single(*decoded));
    for (const Property& one : *decoded) {
      expect_holds(packet.allowed.contains(one.id));
      const auto type = property_type(one.id);
      if (type == PropertyType::text || type == PropertyType::text_pair) {
        expect_holds(is_text(one.name) && is_text(one.value));
      }
    }
    // The same with a length that is not theirs.
    for (const std::size_t length :
         {bytes.size() + packet.behind.size() + 1, bytes.size() + 4'000}) {
      PacketCheck other;
      prepare(other, packet.first >> 4 != packet_type::kConnack);
      const std::string lie =
          packet.before + variable_of(length) + std::string(bytes) + packet.behind;
      expect_holds(other.look(packet.first, lie).has_value());
    }
  }
}

}  // namespace triggerd::mqtt
