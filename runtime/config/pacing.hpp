// How fast, and how soon, a trigger hands its messages to the service: max_rate and delay.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/clock.hpp"
#include "base/result.hpp"

namespace triggerd::config {

// At most `count` in each `per`.
struct Rate {
  std::uint32_t count = 0;  // 0: no limit
  Millis per{1'000};

  bool limited() const { return count > 0; }
};

struct Pacing {
  Rate max_rate;
  Millis delay{0};  // from the receipt of a message to its first attempt
};

// "100/s", "30/min", "5/h": from 1 to 10,000,000. Errors do not quote the text. [any]
Result<Rate> parse_rate(std::string_view text);
// As it is written; "" if there is no limit. [any]
std::string format_rate(const Rate& rate);

}  // namespace triggerd::config
