#include "dispatch/order_key.hpp"

#include "config/topic_filter.hpp"
#include "dispatch/json_key.hpp"
#include "mqtt/packet/properties.hpp"

namespace triggerd::dispatch {
std::optional<std::string> order_key(const config::Order& order, const mqtt::Message& message) {
  switch (order.by) {
    case config::Order::By::trigger:
      return std::string();
    case config::Order::By::topic:
      return std::string(message.topic);
    case config::Order::By::topic_level:
      return std::string(config::topic_level(message.topic, order.level));
    case config::Order::By::property:
      return mqtt::user_property(message.properties, order.pointer).value_or("");
    case config::Order::By::json:
      return json_key(order.pointer, message.payload).value_or(JsonKey{}).text;
    case config::Order::By::none:
      break;
  }
  return std::nullopt;
}

}  // namespace triggerd::dispatch
