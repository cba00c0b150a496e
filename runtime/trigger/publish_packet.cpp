#include "trigger/publish_packet.hpp"

#include <cstdint>

namespace triggerd::trigger {
namespace {

constexpr std::uint8_t kRetain = 0x01;
constexpr std::uint8_t kDup = 0x08;
constexpr std::uint8_t kPublish = 0x30;

std::uint8_t byte(std::string_view bytes, std::size_t at) {
  return static_cast<std::uint8_t>(bytes[at]);
}

}  // namespace

Result<PublishPacket> parse_publish(std::string_view packet) {
  if (packet.size() < 2 || (byte(packet, 0) & 0xf0) != kPublish) return fail("it is no PUBLISH");
  const std::uint8_t flags = byte(packet, 0);
  std::size_t at = 1;
  while (at < packet.size() && (byte(packet, at) & 0x80) != 0) ++at;  // the remaining length
  ++at;
  if (at + 2 > packet.size()) return fail("it ends before its topic");
  const std::size_t topic_size =
      static_cast<std::size_t>(byte(packet, at)) << 8 | byte(packet, at + 1);
  at += 2;
  constexpr std::size_t kPacketId = 2;
  if (at + topic_size + kPacketId > packet.size()) return fail("it ends within its topic");
  return PublishPacket{.topic = std::string(packet.substr(at, topic_size)),
                       .payload = std::string(packet.substr(at + topic_size + kPacketId)),
                       .retained = (flags & kRetain) != 0};
}

bool is_duplicate(std::string_view packet) {
  return !packet.empty() && (byte(packet, 0) & kDup) != 0;
}

}  // namespace triggerd::trigger
