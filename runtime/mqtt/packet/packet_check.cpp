#include "mqtt/packet/packet_check.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <initializer_list>

#include "base/text.hpp"
#include "mqtt/packet/packet_bytes.hpp"
#include "mqtt/packet/packet_type.hpp"
#include "mqtt/packet/properties.hpp"

namespace triggerd::mqtt {
namespace {

using Wrong = PacketCheck::Wrong;

using namespace packet_type;

constexpr std::uint8_t kFirstError = 0x80;
constexpr std::uint8_t kMostOfConnack = 5;  // 3.1.1 has no other return codes

constexpr std::array<const char*, 16> kNames = {"a packet of type 0",
                                                "CONNECT",
                                                "CONNACK",
                                                "PUBLISH",
                                                "PUBACK",
                                                "PUBREC",
                                                "PUBREL",
                                                "PUBCOMP",
                                                "SUBSCRIBE",
                                                "SUBACK",
                                                "UNSUBSCRIBE",
                                                "UNSUBACK",
                                                "PINGREQ",
                                                "PINGRESP",
                                                "DISCONNECT",
                                                "AUTH"};

template <class... Args>
Wrong wrong(std::uint8_t reason, fmt::format_string<Args...> format, Args&&... args) {
  return PacketCheck::refusal(reason, fmt::format(format, std::forward<Args>(args)...));
}
template <class... Args>
Wrong malformed(fmt::format_string<Args...> format, Args&&... args) {
  return wrong(disconnect_reason::kMalformed, format, std::forward<Args>(args)...);
}
template <class... Args>
Wrong not_allowed(fmt::format_string<Args...> format, Args&&... args) {
  return wrong(disconnect_reason::kProtocolError, format, std::forward<Args>(args)...);
}

Wrong no_server_for_us(std::string what) {
  return {std::move(what), disconnect_reason::kProtocolError};
}

// Off the front; nullopt where it is not all there.
std::optional<std::uint16_t> take_number(std::string_view& bytes) {
  if (bytes.size() < 2) return std::nullopt;
  const std::uint16_t number = number_at(bytes, 0);
  bytes.remove_prefix(2);
  return number;
}
std::optional<std::string_view> take_text(std::string_view& bytes) {
  const auto size = take_number(bytes);
  if (!size || *size > bytes.size()) return std::nullopt;
  const std::string_view text = bytes.substr(0, *size);
  bytes.remove_prefix(*size);
  return text;
}

// What one has to be beside well written; the ids that may be there are `allowed`.
std::optional<Wrong> look_at_property(const char* name, const Property& property) {
  const auto type = property_type(property.id);
  const bool texts = (type != PropertyType::text && type != PropertyType::text_pair) ||
                     (is_text(property.value) && is_text(property.name));
  if (!texts) return malformed("property 0x{:02x} of its {} is not UTF-8 text", property.id, name);
  switch (property.id) {
    case property::kMaximumQos:  // 2 is what it means to be left out, and some say it
      if (property.number <= 2) return std::nullopt;
      break;
    case property::kPayloadFormat:
    case property::kRetainAvailable:
    case 0x28:
    case 0x29:
    case 0x2a:
      if (property.number <= 1) return std::nullopt;
      break;
    case property::kSubscriptionId:
    case property::kReceiveMaximum:
    case property::kMaximumPacketSize:
      if (property.number != 0) return std::nullopt;
      break;
    default:
      return std::nullopt;
  }
  return not_allowed("property 0x{:02x} of its {} is {}", property.id, name, property.number);
}

// Takes them off the front. `facts` gets what those of a PUBLISH say.
std::optional<Wrong> take_properties(const char* name, std::string_view& body,
                                     std::initializer_list<std::uint32_t> allowed,
                                     PacketCheck::PublishFacts* facts = nullptr) {
  const auto length = take_variable(body);
  if (!length || *length > body.size())
    return malformed("its {} ends in the middle of its properties", name);
  const auto properties = decode_properties(body.substr(0, *length));
  if (!properties) {
    return malformed("the properties of its {} are malformed: {}", name,
                     properties.error().message);
  }
  body.remove_prefix(*length);
  for (auto one = properties->begin(); one != properties->end(); ++one) {
    if (std::find(allowed.begin(), allowed.end(), one->id) == allowed.end()) {
      return not_allowed("a {} may not have property 0x{:02x}", name, one->id);
    }
    if (auto found = look_at_property(name, *one)) return found;
    const bool several = one->id == property::kUser || one->id == property::kSubscriptionId;
    if (!several && std::any_of(properties->begin(), one,
                                [&](const Property& other) { return other.id == one->id; })) {
      return not_allowed("property 0x{:02x} appears twice in its {}", one->id, name);
    }
    if (facts == nullptr) continue;
    if (one->id == property::kTopicAlias) facts->topic_alias = one->number;
    if (one->id == property::kMessageExpiry) facts->expiry = one->number;
  }
  return std::nullopt;
}

// Of every message: most topics are ASCII, and looked at once.
bool is_topic_name(std::string_view topic) {
  bool ascii = true;
  for (const char c : topic) {
    if (c == '\0' || c == '+' || c == '#') return false;
    ascii = ascii && static_cast<unsigned char>(c) < 0x80;
  }
  return ascii || is_utf8(topic);
}

std::optional<Wrong> look_at_topic(std::string_view topic) {
  if (is_topic_name(topic)) return std::nullopt;
  return wrong(disconnect_reason::kTopicName,
               "the topic of its PUBLISH is not a topic name: \"{}\"", printable(topic, 64));
}

// Of MQTT 5: begins() has refused it of 3.1.1.
std::optional<Wrong> look_at_disconnect(std::string_view body) {
  if (body.size() < 2) return std::nullopt;
  body.remove_prefix(1);
  if (auto found =
          take_properties("DISCONNECT", body,
                          {property::kReasonString, property::kUser, property::kServerReference})) {
    return found;
  }
  if (!body.empty()) return malformed("its DISCONNECT has extra bytes after its properties");
  return std::nullopt;
}

}  // namespace

std::string_view protocol_of(std::string_view came) {
  if (came.starts_with("HTTP/")) return "HTTP";
  if (came.starts_with("SSH-")) return "SSH";
  if (came.starts_with("AMQP")) return "AMQP";
  if (came.starts_with("\x15\x03")) return "TLS";
  if (came.starts_with("\x20\x02") || came.starts_with("\x20\x03")) return "MQTT";
  return "";
}

std::string first_bytes(std::uint8_t first, std::string_view body) {
  constexpr std::size_t kShown = 16;
  std::string text = fmt::format("{:02x}", first);
  std::size_t rest = body.size();
  do {
    const std::size_t digit = rest & 0x7f;
    rest >>= 7;
    text += fmt::format(" {:02x}", digit | (rest > 0 ? 0x80U : 0U));
  } while (rest > 0);
  std::size_t shown = kShown;
  if (first >> 4 == kPublish) {
    std::string_view head = body;
    const auto topic = take_text(head);
    const std::size_t id = (first & 0x06U) != 0 ? 2 : 0;
    shown = std::min(shown, topic ? 2 + topic->size() + id : 2);
  }
  for (const char byte : body.substr(0, shown)) {
    text += fmt::format(" {:02x}", static_cast<std::uint8_t>(byte));
  }
  return text + (body.size() > shown ? " ..." : "");
}

PacketCheck::Wrong PacketCheck::refusal(std::uint8_t reason, std::string_view what) {
  return {fmt::format("protocol error by the server: {}", what), reason};
}

bool PacketCheck::is_request(std::uint8_t first) {
  const auto type = static_cast<std::uint8_t>(first >> 4);
  return type == kConnect || type == kSubscribe || type == kUnsubscribe;
}

bool PacketCheck::is_answer(std::uint8_t first) {
  const auto type = static_cast<std::uint8_t>(first >> 4);
  return type == kConnack || type == kSuback || type == kUnsuback;
}

void PacketCheck::sends(std::string_view packet) {
  if (packet.empty() || !is_request(byte_at(packet, 0))) return;
  const auto type = static_cast<std::uint8_t>(byte_at(packet, 0) >> 4);
  packet.remove_prefix(1);
  if (!take_variable(packet)) return;
  if (type == kConnect) {
    constexpr std::size_t kFlagsAndKeepAlive = 3;
    const auto name = take_text(packet);
    if (!name || packet.size() <= kFlagsAndKeepAlive) return;
    v5_ = byte_at(packet, 0) == 5;
    packet.remove_prefix(1 + kFlagsAndKeepAlive);
    if (!v5_) return;
    const auto length = take_variable(packet);
    const auto properties = decode_properties(packet.substr(0, length.value_or(0)));
    if (!properties) return;
    const Property* const most = find_property(*properties, property::kTopicAliasMaximum);
    most_aliases_ = most == nullptr ? 0 : static_cast<std::uint16_t>(most->number);
    return;
  }
  const auto id = take_number(packet);
  if (!id) return;
  if (v5_) {
    const auto length = take_variable(packet);
    if (!length) return;
    packet.remove_prefix(std::min(*length, packet.size()));
  }
  std::size_t filters = 0;
  for (; take_text(packet); ++filters) {
    if (type == kSubscribe && !packet.empty()) packet.remove_prefix(1);  // its options
  }
  const MutexLock lock(mutex_);
  asked_[*id] = {type, filters};
  awaited_ = asked_.size();
}

std::optional<Wrong> PacketCheck::begins(std::uint8_t first, std::string_view came) const {
  const auto type = static_cast<std::uint8_t>(first >> 4);
  const auto flags = static_cast<std::uint8_t>(first & 0x0f);
  if (!connected_ && first != kConnack << 4) {
    if (came.empty()) return not_allowed("its {} came before CONNACK", kNames[type]);
    const std::string_view protocol = protocol_of(came);
    const std::string what =
        protocol.empty() ? "is not an MQTT server" : fmt::format("speaks {}, not MQTT", protocol);
    return no_server_for_us(
        fmt::format("it {}: it answered with \"{}\"", what, printable(came, 64)));
  }
  const bool known = type == kConnack || type == kPublish || type == kPuback || type == kPubrec ||
                     type == kPubrel || type == kPubcomp || type == kSuback || type == kUnsuback ||
                     type == kPingresp || (type == kDisconnect && v5_);
  if (!known) return not_allowed("a server may not send {}", kNames[type]);
  if (connected_ && type == kConnack) return not_allowed("it sent a second CONNACK");
  if (type != kPublish && flags != (type == kPubrel ? 2 : 0)) {
    return malformed("the flags of its {} are {:x}", kNames[type], flags);
  }
  if (type == kPublish && (flags & 0x06) == 0x06) return malformed("its PUBLISH has QoS 3");
  return std::nullopt;
}

std::optional<Wrong> PacketCheck::look(std::uint8_t first, std::string_view body) {
  const auto type = static_cast<std::uint8_t>(first >> 4);
  switch (type) {
    case kConnack:
      return look_at_connack(body);
    case kPublish:
      return look_at_publish(first, body);
    case kPuback:
    case kPubrec:
    case kPubrel:
    case kPubcomp:
      return look_at_ack(type, body);
    case kSuback:
    case kUnsuback:
      return look_at_answer(type, body);
    case kPingresp:
      if (body.empty()) return std::nullopt;
      return malformed("its PINGRESP is too long");
    case kDisconnect:
      return look_at_disconnect(body);
    default:
      return std::nullopt;  // begins() has said it
  }
}

std::optional<Wrong> PacketCheck::look_at_connack(std::string_view body) {
  const bool v5 = v5_;
  if (body.size() < 2) return malformed("its CONNACK is too short");
  const std::uint8_t flags = byte_at(body, 0);
  const std::uint8_t code = byte_at(body, 1);
  body.remove_prefix(2);
  if (v5 && body.empty()) {
    return no_server_for_us(
        fmt::format("it does not speak MQTT 5 (return code {}); write protocol = \"3.1.1\"", code));
  }
  if (!v5 && !body.empty()) return malformed("its CONNACK is too long");
  if (flags > 1) return malformed("the flags of its CONNACK are {:x}", flags);
  if (v5 ? code != 0 && code < kFirstError : code > kMostOfConnack) {
    return malformed("its CONNACK has return code {}, which does not exist", code);
  }
  if (v5) {
    if (auto found = take_properties("CONNACK", body,
                                     {0x11, 0x12, 0x13, 0x15, 0x16, 0x1a, 0x1c, 0x1f, 0x21, 0x22,
                                      0x24, 0x25, 0x26, 0x27, 0x28, 0x29, 0x2a})) {
      return found;
    }
    if (!body.empty()) return malformed("its CONNACK has extra bytes after its properties");
  }
  connected_ = true;
  return std::nullopt;
}

std::optional<Wrong> PacketCheck::look_at_publish(std::uint8_t first, std::string_view body) {
  const auto topic = take_text(body);
  if (!topic) return malformed("its PUBLISH ends in the middle of its topic");
  if (auto found = look_at_topic(*topic)) return found;
  if ((first & 0x06U) != 0) {
    const auto id = take_number(body);
    if (!id) return malformed("its PUBLISH has no packet id");
    if (*id == 0) return malformed("the packet id of its PUBLISH is 0");
  }
  publish_ = {};
  if (v5_) {
    if (auto found = take_properties(
            "PUBLISH", body,
            {property::kPayloadFormat, property::kMessageExpiry, property::kContentType,
             property::kResponseTopic, property::kCorrelationData, property::kSubscriptionId,
             property::kTopicAlias, property::kUser},
            &publish_)) {
      return found;
    }
  }
  const std::optional<std::uint64_t>& alias = publish_.topic_alias;
  if (alias && (*alias == 0 || *alias > most_aliases_)) {
    return wrong(disconnect_reason::kTopicAlias,
                 "topic alias {} of its PUBLISH is not between 1 and {}", *alias,
                 most_aliases_.load());
  }
  if (!topic->empty()) {
    if (alias) {
      aliases_.resize(std::size_t{most_aliases_} + 1);
      aliases_[*alias] = true;
    }
    return std::nullopt;
  }
  if (!alias) {
    return not_allowed("its PUBLISH has neither a topic nor a topic alias");
  }
  if (*alias < aliases_.size() && aliases_[*alias]) return std::nullopt;
  return wrong(disconnect_reason::kTopicAlias,
               "it used topic alias {} without having defined it on this connection", *alias);
}

// PUBACK, PUBREC, PUBREL and PUBCOMP; of MQTT 5 a reason and properties may be left out.
std::optional<Wrong> PacketCheck::look_at_ack(std::uint8_t type, std::string_view body) {
  const char* const name = kNames[type];
  const auto id = take_number(body);
  if (!id) return malformed("its {} has no packet id", name);
  if (*id == 0) return malformed("the packet id of its {} is 0", name);
  if (type != kPubrel) {  // whose ids are the server's
    const MutexLock lock(mutex_);
    if (asked_.count(*id) > 0) {
      return not_allowed("its {} has the packet id of a SUBSCRIBE or UNSUBSCRIBE", name);
    }
  }
  if (body.empty()) return std::nullopt;
  if (!v5_) return malformed("its {} is too long", name);
  body.remove_prefix(1);
  if (body.empty()) return std::nullopt;
  if (auto found = take_properties(name, body, {property::kReasonString, property::kUser})) {
    return found;
  }
  if (!body.empty()) return malformed("its {} has extra bytes after its properties", name);
  return std::nullopt;
}

// SUBACK and UNSUBACK.
std::optional<Wrong> PacketCheck::look_at_answer(std::uint8_t type, std::string_view body) {
  const char* const name = kNames[type];
  const bool v5 = v5_;
  const auto id = take_number(body);
  if (!id) return malformed("its {} has no packet id", name);
  if (v5) {
    if (auto found = take_properties(name, body, {property::kReasonString, property::kUser})) {
      return found;
    }
  }
  std::size_t filters = 0;
  {
    const MutexLock lock(mutex_);
    const auto asked = asked_.find(*id);
    if (asked == asked_.end() || asked->second.type + 1 != type) {
      return not_allowed("its {} has packet id {}, which no request has", name, *id);
    }
    filters = asked->second.filters;
    asked_.erase(asked);
    awaited_ = asked_.size();
  }
  if (type == kUnsuback && !v5) {
    if (body.empty()) return std::nullopt;
    return malformed("its {} is too long", name);
  }
  if (body.size() != filters) {
    return not_allowed("its {} has {} code{} for {} filter{}", name, body.size(),
                       body.size() == 1 ? "" : "s", filters, filters == 1 ? "" : "s");
  }
  for (const char one : body) {
    const auto code = static_cast<std::uint8_t>(one);
    if (code < kFirstError && code > 2 && !v5)
      return malformed("its {} has code {:#04x}, which does not exist", name, code);
  }
  return std::nullopt;
}

}  // namespace triggerd::mqtt
