#include "support/mqtt_packet.hpp"

#include <algorithm>
#include <array>
#include <utility>

namespace triggerd::test::packet {
namespace {

constexpr std::string_view kProtocolName = "MQTT";
constexpr std::uint8_t kRefused = 0x80;

// The flags that the first byte's low nibble must have; those of PUBLISH say something.
constexpr std::uint8_t required_flags(Type type) {
  return type == Type::pubrel || type == Type::subscribe || type == Type::unsubscribe ? 2 : 0;
}

void put_u8(std::string& out, std::uint8_t value) {
  out += static_cast<char>(value);
}

void put_u16(std::string& out, std::uint16_t value) {
  put_u8(out, static_cast<std::uint8_t>(value >> 8));
  put_u8(out, static_cast<std::uint8_t>(value & 0xff));
}

void put_text(std::string& out, std::string_view text) {
  put_u16(out, static_cast<std::uint16_t>(text.size()));
  out += text;
}

std::string whole(Type type, std::uint8_t flags, std::string_view body) {
  return encode_header(type, flags, static_cast<std::uint32_t>(body.size())).append(body);
}

void put_variable(std::string& out, std::size_t value) {
  do {
    const bool more = value >= 0x80;
    put_u8(out, static_cast<std::uint8_t>((value & 0x7f) | (more ? 0x80 : 0)));
    value >>= 7U;
  } while (value > 0);
}

void put_properties(std::string& out, std::string_view properties, std::uint8_t level) {
  if (level < k5) return;
  put_variable(out, properties.size());
  out += properties;
}

std::string encode_one(const Connect& packet, std::uint8_t) {
  std::string body;
  put_text(body, kProtocolName);
  put_u8(body, packet.level);
  unsigned flags = packet.clean_session ? 0x02 : 0;
  if (packet.will) flags |= 0x04U | (packet.will->qos << 3U) | (packet.will->retain ? 0x20U : 0);
  if (packet.password) flags |= 0x40U;
  if (packet.user_name) flags |= 0x80U;
  put_u8(body, static_cast<std::uint8_t>(flags));
  put_u16(body, packet.keep_alive);
  put_properties(body, packet.properties, packet.level);
  put_text(body, packet.client_id);
  if (packet.will) {
    put_properties(body, packet.will->properties, packet.level);
    put_text(body, packet.will->topic);
    put_text(body, packet.will->payload);
  }
  if (packet.user_name) put_text(body, *packet.user_name);
  if (packet.password) put_text(body, *packet.password);
  return whole(Connect::type, 0, body);
}

std::string encode_one(const ConnAck& packet, std::uint8_t level) {
  std::string body;
  put_u8(body, packet.session_present ? 1 : 0);
  put_u8(body, packet.return_code);
  put_properties(body, packet.properties, level);
  return whole(ConnAck::type, 0, body);
}

std::string encode_one(const Publish& packet, std::uint8_t level) {
  std::string body;
  put_text(body, packet.topic);
  if (packet.qos > 0) put_u16(body, packet.packet_id);
  put_properties(body, packet.properties, level);
  body += packet.payload;
  const unsigned flags = (packet.dup ? 8U : 0) | (packet.qos << 1U) | (packet.retain ? 1U : 0);
  return whole(Publish::type, static_cast<std::uint8_t>(flags), body);
}

template <Type kType>
std::string encode_one(const WithPacketId<kType>& packet, std::uint8_t level) {
  std::string body;
  put_u16(body, packet.packet_id);
  if (level >= k5 && (packet.reason != 0 || !packet.properties.empty())) {
    put_u8(body, packet.reason);
    if (!packet.properties.empty()) put_properties(body, packet.properties, level);
  }
  return whole(kType, required_flags(kType), body);
}

std::string encode_one(const Subscribe& packet, std::uint8_t level) {
  std::string body;
  put_u16(body, packet.packet_id);
  put_properties(body, packet.properties, level);
  for (const Filter& filter : packet.filters) {
    put_text(body, filter.filter);
    const unsigned options = filter.qos | (filter.no_local ? 4U : 0) |
                             (filter.retain_as_published ? 8U : 0) | filter.retain_handling << 4U;
    put_u8(body, static_cast<std::uint8_t>(options));
  }
  return whole(Subscribe::type, required_flags(Subscribe::type), body);
}

std::string encode_one(const SubAck& packet, std::uint8_t level) {
  std::string body;
  put_u16(body, packet.packet_id);
  put_properties(body, packet.properties, level);
  for (const std::uint8_t code : packet.return_codes) put_u8(body, code);
  return whole(SubAck::type, 0, body);
}

std::string encode_one(const Unsubscribe& packet, std::uint8_t level) {
  std::string body;
  put_u16(body, packet.packet_id);
  put_properties(body, packet.properties, level);
  for (const std::string& filter : packet.filters) put_text(body, filter);
  return whole(Unsubscribe::type, required_flags(Unsubscribe::type), body);
}

std::string encode_one(const UnsubAck& packet, std::uint8_t level) {
  std::string body;
  put_u16(body, packet.packet_id);
  put_properties(body, packet.properties, level);
  if (level >= k5) {
    for (const std::uint8_t reason : packet.reasons) put_u8(body, reason);
  }
  return whole(UnsubAck::type, 0, body);
}

std::string encode_one(const Disconnect& packet, std::uint8_t level) {
  std::string body;
  if (level >= k5 && (packet.reason != 0 || !packet.properties.empty())) {
    put_u8(body, packet.reason);
    if (!packet.properties.empty()) put_properties(body, packet.properties, level);
  }
  return whole(Disconnect::type, 0, body);
}

template <Type kType>
std::string encode_one(const Bare<kType>&, std::uint8_t) {
  return whole(kType, 0, {});
}

// Reads a packet's body from its front. The first fault stays; after it everything reads as empty.
class Body {
 public:
  explicit Body(std::string_view bytes) : rest_(bytes) {}

  std::uint8_t u8(std::string_view what) {
    const std::string_view bytes = take(1, what);
    return bytes.empty() ? 0 : static_cast<std::uint8_t>(bytes[0]);
  }
  std::uint16_t u16(std::string_view what) {
    const unsigned high = u8(what);
    return static_cast<std::uint16_t>((high << 8) | u8(what));
  }
  std::uint16_t packet_id() {
    const std::uint16_t id = u16("the packet id");
    check(id != 0, "the packet id is 0");
    return id;
  }
  std::string text(std::string_view what) {
    const std::size_t size = u16(what);
    return std::string(take(size, what));
  }
  // The properties of MQTT 5, as bytes.
  std::string properties(std::uint8_t level) {
    if (level < k5) return {};
    std::size_t size = 0;
    for (unsigned digits = 0;; ++digits) {
      check(digits < 4, "the length of its properties takes over 4 bytes");
      const std::size_t digit = u8("the length of its properties");
      size |= (digit & 0x7fU) << (7 * digits);
      if ((digit & 0x80U) == 0 || digits == 4) break;
    }
    return std::string(take(size, "its properties"));
  }
  std::string rest() { return std::string(std::exchange(rest_, {})); }
  bool at_end() const { return rest_.empty(); }
  void check(bool good, std::string_view fault) {
    if (good || !fault_.empty()) return;
    fault_ = fault;
    rest_ = {};
  }
  const std::string& fault() const { return fault_; }

 private:
  std::string_view take(std::size_t size, std::string_view what) {
    check(size <= rest_.size(), fmt::format("it ends inside {}", what));
    if (!fault_.empty()) return {};
    const std::string_view taken = rest_.substr(0, size);
    rest_.remove_prefix(size);
    return taken;
  }

  std::string_view rest_;
  std::string fault_;
};

Connect decode_connect(Body& body) {
  const std::string name = body.text("the protocol name");
  body.check(name == kProtocolName, fmt::format("the protocol name is \"{}\"", name));
  Connect packet;
  packet.level = body.u8("the protocol level");
  body.check(packet.level == k311 || packet.level == k5,
             fmt::format("the protocol level is {}", packet.level));
  const unsigned flags = body.u8("the connect flags");
  const unsigned will_flags = flags & 0x38U;
  body.check((flags & 0x01U) == 0, "the reserved connect flag is set");
  body.check((flags & 0x04U) != 0 || will_flags == 0, "will flags without a will");
  body.check((flags & 0x18U) != 0x18U, "the will's QoS is 3");
  body.check(packet.level == k5 || (flags & 0xc0U) != 0x40U, "a password without a user name");
  packet.clean_session = (flags & 0x02U) != 0;
  packet.keep_alive = body.u16("the keep-alive");
  packet.properties = body.properties(packet.level);
  packet.client_id = body.text("the client id");
  body.check(packet.level == k5 || !packet.client_id.empty() || packet.clean_session,
             "an empty client id without clean session");
  if ((flags & 0x04U) != 0) {
    Will will;
    will.properties = body.properties(packet.level);
    will.topic = body.text("the will's topic");
    will.payload = body.text("the will's payload");
    will.qos = static_cast<std::uint8_t>((flags >> 3U) & 3U);
    will.retain = (flags & 0x20U) != 0;
    packet.will = std::move(will);
  }
  if ((flags & 0x80U) != 0) packet.user_name = body.text("the user name");
  if ((flags & 0x40U) != 0) packet.password = body.text("the password");
  return packet;
}

ConnAck decode_connack(Body& body, std::uint8_t level) {
  const int flags = body.u8("the acknowledge flags");
  body.check(flags <= 1, "reserved acknowledge flags are set");
  ConnAck packet{flags == 1, body.u8("the return code")};
  packet.properties = body.properties(level);
  return packet;
}

Publish decode_publish(Body& body, unsigned flags, std::uint8_t level) {
  Publish packet;
  packet.dup = (flags & 8U) != 0;
  packet.qos = static_cast<std::uint8_t>((flags >> 1U) & 3U);
  packet.retain = (flags & 1U) != 0;
  body.check(packet.qos < 3, "the QoS is 3");
  body.check(packet.qos > 0 || !packet.dup, "DUP with QoS 0");
  packet.topic = body.text("the topic");
  // With a topic alias it may be.
  body.check(level == k5 || !packet.topic.empty(), "the topic is empty");
  body.check(packet.topic.find_first_of("+#") == std::string::npos, "the topic has a wildcard");
  if (packet.qos > 0) packet.packet_id = body.packet_id();
  packet.properties = body.properties(level);
  packet.payload = body.rest();
  return packet;
}

template <Type kType>
WithPacketId<kType> decode_ack(Body& body, std::uint8_t level) {
  WithPacketId<kType> packet{body.packet_id()};
  if (level == k5 && !body.at_end()) packet.reason = body.u8("the reason code");
  if (level == k5 && !body.at_end()) packet.properties = body.properties(level);
  return packet;
}

Disconnect decode_disconnect(Body& body, std::uint8_t level) {
  Disconnect packet;
  if (level == k5 && !body.at_end()) packet.reason = body.u8("the reason code");
  if (level == k5 && !body.at_end()) packet.properties = body.properties(level);
  return packet;
}

UnsubAck decode_unsuback(Body& body, std::uint8_t level) {
  UnsubAck packet{body.packet_id()};
  packet.properties = body.properties(level);
  while (level == k5 && !body.at_end()) packet.reasons.push_back(body.u8("a reason code"));
  return packet;
}

Subscribe decode_subscribe(Body& body, std::uint8_t level) {
  Subscribe packet{body.packet_id(), {}};
  packet.properties = body.properties(level);
  body.check(!body.at_end(), "it has no filter");
  while (!body.at_end()) {
    std::string filter = body.text("a filter");
    const unsigned options = body.u8("a filter's QoS");
    const unsigned qos = level == k5 ? options & 3U : options;
    body.check(!filter.empty(), "a filter is empty");
    body.check(qos < 3, "a filter's QoS is over 2");
    body.check(level != k5 || (options >> 4U) < 3, "a filter's options are reserved");
    packet.filters.push_back({std::move(filter), static_cast<std::uint8_t>(qos),
                              level == k5 && (options & 4U) != 0,
                              level == k5 && (options & 8U) != 0,
                              static_cast<std::uint8_t>(level == k5 ? options >> 4U : 0)});
  }
  return packet;
}

SubAck decode_suback(Body& body, std::uint8_t level) {
  SubAck packet{body.packet_id(), {}};
  packet.properties = body.properties(level);
  body.check(!body.at_end(), "it has no return code");
  while (!body.at_end()) {
    const std::uint8_t code = body.u8("a return code");
    body.check(code < 3 || code == kRefused || (level == k5 && code > kRefused),
               "a return code is neither a QoS nor 0x80");
    packet.return_codes.push_back(code);
  }
  return packet;
}

Unsubscribe decode_unsubscribe(Body& body, std::uint8_t level) {
  Unsubscribe packet{body.packet_id(), {}};
  packet.properties = body.properties(level);
  body.check(!body.at_end(), "it has no filter");
  while (!body.at_end()) {
    packet.filters.push_back(body.text("a filter"));
    body.check(!packet.filters.back().empty(), "a filter is empty");
  }
  return packet;
}

Any decode_body(Type type, unsigned flags, Body& body, std::uint8_t level) {
  switch (type) {
    case Type::connect:
      return decode_connect(body);
    case Type::connack:
      return decode_connack(body, level);
    case Type::publish:
      return decode_publish(body, flags, level);
    case Type::puback:
      return decode_ack<Type::puback>(body, level);
    case Type::pubrec:
      return decode_ack<Type::pubrec>(body, level);
    case Type::pubrel:
      return decode_ack<Type::pubrel>(body, level);
    case Type::pubcomp:
      return decode_ack<Type::pubcomp>(body, level);
    case Type::subscribe:
      return decode_subscribe(body, level);
    case Type::suback:
      return decode_suback(body, level);
    case Type::unsubscribe:
      return decode_unsubscribe(body, level);
    case Type::unsuback:
      return decode_unsuback(body, level);
    case Type::pingreq:
      return PingReq{};
    case Type::pingresp:
      return PingResp{};
    case Type::disconnect:
      return decode_disconnect(body, level);
  }
  body.check(false, "its type is reserved");
  return Disconnect{};
}

}  // namespace

std::string_view to_string(Type type) {
  static constexpr std::array<std::string_view, 15> kNames = {
      "?",           "CONNECT",  "CONNACK", "PUBLISH",   "PUBACK",
      "PUBREC",      "PUBREL",   "PUBCOMP", "SUBSCRIBE", "SUBACK",
      "UNSUBSCRIBE", "UNSUBACK", "PINGREQ", "PINGRESP",  "DISCONNECT"};
  const auto number = static_cast<std::size_t>(type);
  return kNames[number < kNames.size() ? number : 0];
}

Type type_of(const Any& packet) {
  return std::visit([](const auto& one) { return one.type; }, packet);
}

std::string byte_property(std::uint8_t id, std::uint8_t value) {
  std::string out;
  put_u8(out, id);
  put_u8(out, value);
  return out;
}

std::string u16_property(std::uint8_t id, std::uint16_t value) {
  std::string out;
  put_u8(out, id);
  put_u16(out, value);
  return out;
}

std::string u32_property(std::uint8_t id, std::uint32_t value) {
  std::string out;
  put_u8(out, id);
  put_u16(out, static_cast<std::uint16_t>(value >> 16U));
  put_u16(out, static_cast<std::uint16_t>(value & 0xffffU));
  return out;
}

std::string text_property(std::uint8_t id, std::string_view value) {
  std::string out;
  put_u8(out, id);
  put_text(out, value);
  return out;
}

std::string user_property(std::string_view name, std::string_view value) {
  std::string out = text_property(0x26, name);
  put_text(out, value);
  return out;
}

std::string encode(const Any& packet, std::uint8_t level) {
  return std::visit([level](const auto& one) { return encode_one(one, level); }, packet);
}

std::string encode_header(Type type, std::uint8_t flags, std::uint32_t remaining_length) {
  std::string out;
  put_u8(out, static_cast<std::uint8_t>((static_cast<unsigned>(type) << 4U) | (flags & 15U)));
  for (int digits = 0; digits < 4; ++digits) {
    const std::uint8_t digit = remaining_length & 0x7fU;
    remaining_length >>= 7U;
    const bool last = remaining_length == 0 || digits == 3;
    put_u8(out, last ? digit : digit | 0x80U);
    if (last) break;
  }
  return out;
}

Result<std::optional<Decoded>> decode(std::string_view bytes, std::uint8_t level) {
  if (bytes.empty()) return std::nullopt;
  const unsigned first = static_cast<std::uint8_t>(bytes[0]);
  const Type type = static_cast<Type>(first >> 4U);
  const unsigned flags = first & 15U;
  if (to_string(type) == "?") return fail("malformed packet: its type {} is reserved", first >> 4U);
  if (type != Type::publish && flags != required_flags(type)) {
    return fail("malformed {}: its flags are {}, not {}", to_string(type), flags,
                required_flags(type));
  }

  std::size_t length = 0;
  std::size_t header = 1;
  for (bool more = true; more; ++header) {
    if (header > 4) return fail("malformed {}: its length takes over 4 bytes", to_string(type));
    if (header >= bytes.size()) return std::nullopt;
    const unsigned digit = static_cast<std::uint8_t>(bytes[header]);
    length |= static_cast<std::size_t>(digit & 0x7fU) << (7 * (header - 1));
    more = (digit & 0x80U) != 0;
  }
  if (bytes.size() - header < length) return std::nullopt;

  Body body(bytes.substr(header, length));
  Any packet = decode_body(type, flags, body, level);
  body.check(body.at_end(), "it has bytes after its end");
  if (!body.fault().empty()) return fail("malformed {}: {}", to_string(type), body.fault());
  return Decoded{std::move(packet), header + length};
}

}  // namespace triggerd::test::packet
