// "topic:2" -> Order.
#pragma once

#include <string>
#include <string_view>

#include "base/result.hpp"
#include "config/delivery_rules.hpp"

namespace triggerd::config {

// Parses the value of a trigger's key `order`. Errors do not quote the text.
Result<Order> parse_order(std::string_view text);

// The key as it is written: "json:/id".
std::string to_string(const Deduplicate& rule);

}  // namespace triggerd::config
