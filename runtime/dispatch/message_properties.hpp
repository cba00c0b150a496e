// The properties of a message as the plugin ABI has them. Constant, any thread.
#pragma once

#include <trigger/plugin.h>

#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "mqtt/packet/properties.hpp"

namespace triggerd::dispatch {

class MessageProperties {
 public:
  // Null if there are none. `bytes` are as in mqtt::Message, and outlive this.
  static std::unique_ptr<const MessageProperties> of(std::string_view bytes);

  std::span<const trigger_property> list() const { return list_; }

 private:
  MessageProperties() = default;

  std::vector<trigger_property> list_;
  std::vector<std::string> names_;  // with the NUL that the ABI requires after a text
};

// What a service wants to publish with; it points into `properties`.
std::vector<mqtt::Property> from_abi(std::span<const trigger_property> properties);

}  // namespace triggerd::dispatch
