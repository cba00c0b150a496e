// The types of MQTT packets: the upper four bits of a packet's first byte (MQTT 5.0,
// section 2.1.2).
#pragma once

#include <cstdint>

namespace triggerd::mqtt::packet_type {

inline constexpr std::uint8_t kConnect = 1;
inline constexpr std::uint8_t kConnack = 2;
inline constexpr std::uint8_t kPublish = 3;
inline constexpr std::uint8_t kPuback = 4;
inline constexpr std::uint8_t kPubrec = 5;
inline constexpr std::uint8_t kPubrel = 6;
inline constexpr std::uint8_t kPubcomp = 7;
inline constexpr std::uint8_t kSubscribe = 8;
inline constexpr std::uint8_t kSuback = 9;
inline constexpr std::uint8_t kUnsubscribe = 10;
inline constexpr std::uint8_t kUnsuback = 11;
inline constexpr std::uint8_t kPingreq = 12;
inline constexpr std::uint8_t kPingresp = 13;
inline constexpr std::uint8_t kDisconnect = 14;

}  // namespace triggerd::mqtt::packet_type
