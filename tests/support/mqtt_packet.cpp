#include "support/mqtt_packet.hpp"

#include <algorithm>
#include <array>
#include <utility>

namespace triggerd::test::packet {
namespace {

constexpr std::string_view kProtocolName = "MQTT";
constexpr std::uint8_t kProtocolLevel = 4;  // 3.1.1
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

std::string encode_one(const Connect& packet) {
  std::string body;
  put_text(body, kProtocolName);
  put_u8(body, kProtocolLevel);
  unsigned flags = packet.clean_session ? 0x02 : 0;
  if (packet.will) flags |= 0x04U | (packet.will->qos << 3U) | (packet.will->retain ? 0x20U : 0);
  if (packet.password) flags |= 0x40U;
  if (packet.user_name) flags |= 0x80U;
  put_u8(body, static_cast<std::uint8_t>(flags));
  put_u16(body, packet.keep_alive);
  put_text(body, packet.client_id);
  if (packet.will) {
    put_text(body, packet.will->topic);
    put_text(body, packet.will->payload);
  }
  if (packet.user_name) put_text(body, *packet.user_name);
  if (packet.password) put_text(body, *packet.password);
  return whole(Connect::type, 0, body);
}

std::string encode_one(const ConnAck& packet) {
  std::string body;
  put_u8(body, packet.session_present ? 1 : 0);
  put_u8(body, packet.return_code);
  return whole(ConnAck::type, 0, body);
}

std::string encode_one(const Publish& packet) {
  std::string body;
  put_text(body, packet.topic);
  if (packet.qos > 0) put_u16(body, packet.packet_id);
  body += packet.payload;
  const unsigned flags = (packet.dup ? 8U : 0) | (packet.qos << 1U) | (packet.retain ? 1U : 0);
  return whole(Publish::type, static_cast<std::uint8_t>(flags), body);
}

template <Type kType>
std::string encode_one(const WithPacketId<kType>& packet) {
  std::string body;
  put_u16(body, packet.packet_id);
  return whole(kType, required_flags(kType), body);
}

std::string encode_one(const Subscribe& packet) {
  std::string body;
  put_u16(body, packet.packet_id);
  for (const Filter& filter : packet.filters) {
    put_text(body, filter.filter);
    put_u8(body, filter.qos);
  }
  return whole(Subscribe::type, required_flags(Subscribe::type), body);
}

std::string encode_one(const SubAck& packet) {
  std::string body;
  put_u16(body, packet.packet_id);
  for (const std::uint8_t code : packet.return_codes) put_u8(body, code);
  return whole(SubAck::type, 0, body);
}

std::string encode_one(const Unsubscribe& packet) {
  std::string body;
  put_u16(body, packet.packet_id);
  for (const std::string& filter : packet.filters) put_text(body, filter);
  return whole(Unsubscribe::type, required_flags(Unsubscribe::type), body);
}

template <Type kType>
std::string encode_one(const Bare<kType>&) {
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
  const int level = body.u8("the protocol level");
  body.check(level == kProtocolLevel, fmt::format("the protocol level is {}", level));
  const unsigned flags = body.u8("the connect flags");
  const unsigned will_flags = flags & 0x38U;
  body.check((flags & 0x01U) == 0, "the reserved connect flag is set");
  body.check((flags & 0x04U) != 0 || will_flags == 0, "will flags without a will");
  body.check((flags & 0x18U) != 0x18U, "the will's QoS is 3");
  body.check((flags & 0xc0U) != 0x40U, "a password without a user name");
  Connect packet;
  packet.clean_session = (flags & 0x02U) != 0;
  packet.keep_alive = body.u16("the keep-alive");
  packet.client_id = body.text("the client id");
  body.check(!packet.client_id.empty() || packet.clean_session,
             "an empty client id without clean session");
  if ((flags & 0x04U) != 0) {
    Will will;
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

ConnAck decode_connack(Body& body) {
  const int flags = body.u8("the acknowledge flags");
  body.check(flags <= 1, "reserved acknowledge flags are set");
  return {flags == 1, body.u8("the return code")};
}

Publish decode_publish(Body& body, unsigned flags) {
  Publish packet;
  packet.dup = (flags & 8U) != 0;
  packet.qos = static_cast<std::uint8_t>((flags >> 1U) & 3U);
  packet.retain = (flags & 1U) != 0;
  body.check(packet.qos < 3, "the QoS is 3");
  body.check(packet.qos > 0 || !packet.dup, "DUP with QoS 0");
  packet.topic = body.text("the topic");
  body.check(!packet.topic.empty(), "the topic is empty");
  body.check(packet.topic.find_first_of("+#") == std::string::npos, "the topic has a wildcard");
  if (packet.qos > 0) packet.packet_id = body.packet_id();
  packet.payload = body.rest();
  return packet;
}

Subscribe decode_subscribe(Body& body) {
  Subscribe packet{body.packet_id(), {}};
  body.check(!body.at_end(), "it has no filter");
  while (!body.at_end()) {
    std::string filter = body.text("a filter");
    const std::uint8_t qos = body.u8("a filter's QoS");
    body.check(!filter.empty(), "a filter is empty");
    body.check(qos < 3, "a filter's QoS is over 2");
    packet.filters.push_back({std::move(filter), qos});
  }
  return packet;
}

SubAck decode_suback(Body& body) {
  SubAck packet{body.packet_id(), {}};
  body.check(!body.at_end(), "it has no return code");
  while (!body.at_end()) {
    const std::uint8_t code = body.u8("a return code");
    body.check(code < 3 || code == kRefused, "a return code is neither a QoS nor 0x80");
    packet.return_codes.push_back(code);
  }
  return packet;
}

Unsubscribe decode_unsubscribe(Body& body) {
  Unsubscribe packet{body.packet_id(), {}};
  body.check(!body.at_end(), "it has no filter");
  while (!body.at_end()) {
    packet.filters.push_back(body.text("a filter"));
    body.check(!packet.filters.back().empty(), "a filter is empty");
  }
  return packet;
}

Any decode_body(Type type, unsigned flags, Body& body) {
  switch (type) {
    case Type::connect:
      return decode_connect(body);
    case Type::connack:
      return decode_connack(body);
    case Type::publish:
      return decode_publish(body, flags);
    case Type::puback:
      return PubAck{body.packet_id()};
    case Type::pubrec:
      return PubRec{body.packet_id()};
    case Type::pubrel:
      return PubRel{body.packet_id()};
    case Type::pubcomp:
      return PubComp{body.packet_id()};
    case Type::subscribe:
      return decode_subscribe(body);
    case Type::suback:
      return decode_suback(body);
    case Type::unsubscribe:
      return decode_unsubscribe(body);
    case Type::unsuback:
      return UnsubAck{body.packet_id()};
    case Type::pingreq:
      return PingReq{};
    case Type::pingresp:
      return PingResp{};
    case Type::disconnect:
      return Disconnect{};
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

std::string encode(const Any& packet) {
  return std::visit([](const auto& one) { return encode_one(one); }, packet);
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

Result<std::optional<Decoded>> decode(std::string_view bytes) {
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
  Any packet = decode_body(type, flags, body);
  body.check(body.at_end(), "it has bytes after its end");
  if (!body.fault().empty()) return fail("malformed {}: {}", to_string(type), body.fault());
  return Decoded{std::move(packet), header + length};
}

}  // namespace triggerd::test::packet
