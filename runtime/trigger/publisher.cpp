#include "trigger/publisher.hpp"

#include <trigger/plugin.h>

#include "config/topic_filter.hpp"

namespace triggerd::trigger {
namespace {

// MQTT 3.1.1, section 2.2.3: the remaining length of a packet.
constexpr std::size_t kMaxPacketBytes = 268'435'455;
constexpr std::size_t kPacketOverhead = 8;  // topic length, packet id, and room to spare

}  // namespace

bool Publisher::speaks_mqtt5(std::string_view alias) const {
  const auto found = connections_.find(alias);
  return found != connections_.end() && found->second->options().protocol == config::Protocol::v5;
}

std::int32_t Publisher::publish(std::string_view alias, const mqtt::PublishRequest& request,
                                mqtt::PublishDone done) const {
  const auto found = connections_.find(alias);
  if (found == connections_.end()) return TRIGGER_E_NOT_FOUND;
  if (!config::check_topic_name(request.topic) || request.qos < 0 || request.qos > 2 ||
      request.topic.size() + request.payload.size() > kMaxPacketBytes - kPacketOverhead) {
    return TRIGGER_E_INVALID;
  }
  if (!request.properties.empty()) {
    if (found->second->options().protocol != config::Protocol::v5) return TRIGGER_E_UNSUPPORTED;
    if (!mqtt::check_publish_properties(request.properties)) return TRIGGER_E_INVALID;
  }
  const auto sent = found->second->publish(request, std::move(done));
  if (sent) return TRIGGER_OK;
  switch (sent.error()) {
    case mqtt::PublishError::full:
      return TRIGGER_E_FULL;
    case mqtt::PublishError::not_connected:
      return TRIGGER_E_NOT_CONNECTED;
    case mqtt::PublishError::invalid:
      break;
  }
  return TRIGGER_E_INVALID;
}

}  // namespace triggerd::trigger
