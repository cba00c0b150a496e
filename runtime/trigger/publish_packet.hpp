// A PUBLISH packet of MQTT 3.1.1, section 3.3, as it was staged. Pure, any thread.
#pragma once

#include <string>
#include <string_view>

#include "base/result.hpp"

namespace triggerd::trigger {

struct PublishPacket {
  std::string topic;
  std::string payload;
  bool retained = false;
};

// Of QoS 1 or 2.
Result<PublishPacket> parse_publish(std::string_view packet);
// Its DUP flag.
bool is_duplicate(std::string_view packet);

}  // namespace triggerd::trigger
