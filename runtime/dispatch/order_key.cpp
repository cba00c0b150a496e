#include "dispatch/order_key.hpp"

#include <nlohmann/json.hpp>

#include "config/topic_filter.hpp"
#include "mqtt/packet/properties.hpp"

namespace triggerd::dispatch {
namespace {

std::string json_key(const std::string& pointer, std::span<const std::uint8_t> payload) {
  const auto parsed = nlohmann::json::parse(payload.begin(), payload.end(), nullptr, false);
  if (parsed.is_discarded()) return {};
  try {
    const nlohmann::json& value = parsed.at(nlohmann::json::json_pointer(pointer));
    // An array or an object is no key; and dumping one recurses as deep as a sender likes.
    if (!value.is_primitive()) return {};
    return value.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
  } catch (const nlohmann::json::exception&) {
    return {};  // no such value, or a pointer that does not fit this document
  }
}

}  // namespace

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
      return json_key(order.pointer, message.payload);
    case config::Order::By::none:
      break;
  }
  return std::nullopt;
}

}  // namespace triggerd::dispatch
