#include "mqtt/packet/publish_packet.hpp"

#include "mqtt/packet/packet_bytes.hpp"
#include "mqtt/packet/packet_type.hpp"
#include "mqtt/packet/properties.hpp"

namespace triggerd::mqtt {
namespace {

void append_number(std::string& bytes, std::size_t number) {
  bytes += static_cast<char>(number >> 8 & 0xffU);
  bytes += static_cast<char>(number & 0xffU);
}

void append_variable(std::string& bytes, std::size_t value) {
  for (; value >= 0x80; value >>= 7) bytes += static_cast<char>((value & 0x7fU) | 0x80U);
  bytes += static_cast<char>(value);
}

// Behind the first byte and itself.
std::size_t remaining_length(const PublishPacket& packet) {
  std::size_t length = 2 + packet.topic.size() + 2 + packet.payload.size();
  if (packet.properties)
    length += variable_size(packet.properties->size()) + packet.properties->size();
  return length;
}

}  // namespace

std::size_t size_of(const PublishPacket& packet) {
  const std::size_t length = remaining_length(packet);
  return 1 + variable_size(length) + length;
}

void append_publish(std::string& bytes, const PublishPacket& packet) {
  bytes += static_cast<char>(packet_type::kPublish << 4 | (packet.dup ? 0x08 : 0) |
                             packet.qos << 1 | (packet.retained ? 0x01 : 0));
  append_variable(bytes, remaining_length(packet));
  append_number(bytes, packet.topic.size());
  bytes += packet.topic;
  append_number(bytes, packet.packet_id);
  if (packet.properties) {
    append_variable(bytes, packet.properties->size());
    bytes += *packet.properties;
  }
  bytes += packet.payload;
}

void append_pubrel(std::string& bytes, std::uint16_t packet_id) {
  bytes += static_cast<char>(packet_type::kPubrel << 4 | 0x02);
  bytes += '\x02';
  append_number(bytes, packet_id);
}

std::optional<PublishAnswer> read_publish_answer(std::uint8_t first, std::string_view body) {
  PublishAnswer answer;
  switch (first >> 4) {
    case packet_type::kPuback:
      answer.kind = PublishAnswer::Kind::puback;
      break;
    case packet_type::kPubrec:
      answer.kind = PublishAnswer::Kind::pubrec;
      break;
    case packet_type::kPubcomp:
      answer.kind = PublishAnswer::Kind::pubcomp;
      break;
    default:
      return std::nullopt;
  }
  answer.packet_id = number_at(body, 0);
  if (body.size() > 2) answer.reason = byte_at(body, 2);
  if (body.size() <= 3) return answer;
  body.remove_prefix(3);
  const auto length = take_variable(body);
  if (!length) return answer;
  const auto properties = decode_properties(body.substr(0, *length));
  if (!properties) return answer;
  if (const Property* why = find_property(*properties, property::kReasonString)) {
    answer.why = std::string(why->value);
  }
  return answer;
}

}  // namespace triggerd::mqtt
