// Integers in the bytes of a packet (MQTT 5.0, section 1.5). Wants: the bytes are there. Pure.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace triggerd::mqtt {

inline std::uint8_t byte_at(std::string_view bytes, std::size_t at) {
  return static_cast<std::uint8_t>(bytes[at]);
}

// A two-byte integer: a packet id, or the length of a text.
inline std::uint16_t number_at(std::string_view bytes, std::size_t at) {
  return static_cast<std::uint16_t>(byte_at(bytes, at) << 8 | byte_at(bytes, at + 1));
}

}  // namespace triggerd::mqtt
