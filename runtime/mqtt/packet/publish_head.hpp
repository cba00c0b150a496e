// Reads the beginning of a PUBLISH of QoS 1 or 2 (MQTT 3.1.1 and 5.0, section 3.3). Pure, any
// thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

namespace triggerd::mqtt {

struct PublishHead {
  int qos = 1;
  bool retained = false;
  bool duplicate = false;
  std::string_view topic;  // points into the bytes that were read
  std::uint16_t packet_id = 0;
  std::size_t size =
      0;  // up to and including the packet id; properties (MQTT 5) and payload follow
};

// nullopt: it is something else, has QoS 0, or is cut short.
std::optional<PublishHead> read_publish_head(std::string_view bytes);

}  // namespace triggerd::mqtt
