// Which lane a message belongs to. Pure, any thread.
#pragma once

#include <optional>
#include <string>

#include "config/delivery_rules.hpp"
#include "mqtt/message.hpp"

namespace triggerd::dispatch {

// Messages with the same key keep their order and never overlap; nullopt: this one has no lane.
// With Order::By::json, a payload that is not JSON or lacks the value has the key ""; so has, with
// Order::By::property, a message without that user property.
std::optional<std::string> order_key(const config::Order& order, const mqtt::Message& message);

}  // namespace triggerd::dispatch
