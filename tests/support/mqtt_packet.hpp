// MQTT control packets, of 3.1.1 (`level` 4) and 5, between bytes and values. Sources: sections 2
// and 3 of either specification. What only MQTT 5 has stands at the end of each packet; properties
// are the bytes they have on the wire, without their length.
//
// encode() writes what it is told, valid or not, so that a test can send nonsense; decode() is
// strict, so that a test notices nonsense that it is sent. Pure functions: any thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "base/result.hpp"

namespace triggerd::test::packet {

inline constexpr std::uint8_t k311 = 4;
inline constexpr std::uint8_t k5 = 5;

// Properties for the packets below (MQTT 5.0, section 2.2.2.2).
std::string byte_property(std::uint8_t id, std::uint8_t value);
std::string u16_property(std::uint8_t id, std::uint16_t value);
std::string u32_property(std::uint8_t id, std::uint32_t value);
std::string text_property(std::uint8_t id, std::string_view value);
std::string user_property(std::string_view name, std::string_view value);

// The numbers of the first byte's high nibble.
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
  disconnect
};
std::string_view to_string(Type type);

struct Will {
  std::string topic;
  std::string payload;
  std::uint8_t qos = 0;
  bool retain = false;
  std::string properties = {};
  friend bool operator==(const Will&, const Will&) = default;
};

struct Connect {
  static constexpr Type type = Type::connect;
  std::string client_id;
  bool clean_session = true;
  std::uint16_t keep_alive = 60;  // seconds
  std::optional<Will> will = std::nullopt;
  std::optional<std::string> user_name = std::nullopt;
  std::optional<std::string> password = std::nullopt;
  std::uint8_t level = k311;
  std::string properties = {};
  friend bool operator==(const Connect&, const Connect&) = default;
};

struct ConnAck {
  static constexpr Type type = Type::connack;
  bool session_present = false;
  std::uint8_t return_code = 0;
  std::string properties = {};
  friend bool operator==(const ConnAck&, const ConnAck&) = default;
};

struct Publish {
  static constexpr Type type = Type::publish;
  std::string topic;
  std::string payload;
  std::uint8_t qos = 0;
  bool retain = false;
  bool dup = false;
  std::uint16_t packet_id = 0;  // on the wire with QoS 1 and 2 only
  std::string properties = {};
  friend bool operator==(const Publish&, const Publish&) = default;
};

template <Type kType>
struct WithPacketId {
  static constexpr Type type = kType;
  std::uint16_t packet_id = 0;
  // As long as they have to be: neither leaves where the reason is 0 and there are no properties.
  std::uint8_t reason = 0;
  std::string properties = {};
  friend bool operator==(const WithPacketId&, const WithPacketId&) = default;
};
using PubAck = WithPacketId<Type::puback>;
using PubRec = WithPacketId<Type::pubrec>;
using PubRel = WithPacketId<Type::pubrel>;
using PubComp = WithPacketId<Type::pubcomp>;

struct Filter {
  std::string filter;
  std::uint8_t qos = 0;
  bool no_local = false;
  bool retain_as_published = false;
  std::uint8_t retain_handling = 0;
  friend bool operator==(const Filter&, const Filter&) = default;
};

struct Subscribe {
  static constexpr Type type = Type::subscribe;
  std::uint16_t packet_id = 0;
  std::vector<Filter> filters;
  std::string properties = {};
  friend bool operator==(const Subscribe&, const Subscribe&) = default;
};

struct SubAck {
  static constexpr Type type = Type::suback;
  std::uint16_t packet_id = 0;
  std::vector<std::uint8_t> return_codes;  // the QoS granted, or 0x80 and more
  std::string properties = {};
  friend bool operator==(const SubAck&, const SubAck&) = default;
};

struct Unsubscribe {
  static constexpr Type type = Type::unsubscribe;
  std::uint16_t packet_id = 0;
  std::vector<std::string> filters;
  std::string properties = {};
  friend bool operator==(const Unsubscribe&, const Unsubscribe&) = default;
};

struct UnsubAck {
  static constexpr Type type = Type::unsuback;
  std::uint16_t packet_id = 0;
  std::vector<std::uint8_t> reasons = {};
  std::string properties = {};
  friend bool operator==(const UnsubAck&, const UnsubAck&) = default;
};

template <Type kType>
struct Bare {
  static constexpr Type type = kType;
  friend bool operator==(const Bare&, const Bare&) = default;
};
using PingReq = Bare<Type::pingreq>;
using PingResp = Bare<Type::pingresp>;

struct Disconnect {
  static constexpr Type type = Type::disconnect;
  std::uint8_t reason = 0;
  std::string properties = {};
  friend bool operator==(const Disconnect&, const Disconnect&) = default;
};

using Any = std::variant<Connect, ConnAck, Publish, PubAck, PubRec, PubRel, PubComp, Subscribe,
                         SubAck, Unsubscribe, UnsubAck, PingReq, PingResp, Disconnect>;
Type type_of(const Any& packet);

// A CONNECT is of its own level.
std::string encode(const Any& packet, std::uint8_t level = k311);

// The first bytes of a packet alone, for packets that never come, or not as they said.
// `remaining_length` is at most 268'435'455; larger ones are cut to their low 28 bits.
std::string encode_header(Type type, std::uint8_t flags, std::uint32_t remaining_length);

struct Decoded {
  Any packet;
  std::size_t size = 0;  // of the packet, in bytes
};
// The packet that `bytes` begins with; nullopt where it is not all there yet. The error says what
// makes it malformed.
Result<std::optional<Decoded>> decode(std::string_view bytes, std::uint8_t level = k311);

}  // namespace triggerd::test::packet
