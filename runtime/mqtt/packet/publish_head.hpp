// The beginning of a PUBLISH of QoS 1 or 2, section 3.3 of MQTT 3.1.1 and of MQTT 5. Pure, any
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
  std::string_view topic;  // of the bytes that were read
  std::uint16_t packet_id = 0;
  std::size_t size = 0;  // up to and with the packet id: properties (MQTT 5) and payload follow
};

// nullopt where it is something else, QoS 0, or cut short.
std::optional<PublishHead> read_publish_head(std::string_view bytes);

}  // namespace triggerd::mqtt
