// "topic:2" -> Order.
#pragma once

#include <string_view>

#include "base/result.hpp"
#include "config/delivery_rules.hpp"

namespace triggerd::config {

// Parses the value of a trigger's key `order`. Errors do not quote the text.
Result<Order> parse_order(std::string_view text);

}  // namespace triggerd::config
