#include "mqtt/packet/publish_head.hpp"

#include "mqtt/packet/packet_bytes.hpp"

namespace triggerd::mqtt {

std::optional<PublishHead> read_publish_head(std::string_view bytes) {
  const auto at = [bytes](std::size_t i) { return byte_at(bytes, i); };
  if (bytes.empty() || (at(0) & 0xf0) != 0x30 || (at(0) & 0x06) == 0) return std::nullopt;
  std::size_t topic = 1;  // behind the remaining length, of one to four bytes
  while (topic < bytes.size() && topic < 4 && (at(topic) & 0x80) != 0) ++topic;
  ++topic;
  if (topic + 2 > bytes.size()) return std::nullopt;
  const std::size_t topic_size = number_at(bytes, topic);
  const std::size_t id = topic + 2 + topic_size;
  if (id + 2 > bytes.size()) return std::nullopt;
  return PublishHead{.qos = (at(0) & 0x06) >> 1,
                     .retained = (at(0) & 0x01) != 0,
                     .duplicate = (at(0) & 0x08) != 0,
                     .topic = bytes.substr(topic + 2, topic_size),
                     .packet_id = number_at(bytes, id),
                     .size = id + 2};
}

}  // namespace triggerd::mqtt
