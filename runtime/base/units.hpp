// Durations and sizes as users write them. Pure functions. [any]
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/clock.hpp"
#include "base/result.hpp"

namespace triggerd {

// "500ms", "30s", "5m", "2h", "7d", and sums of these ("1m30s"). At most 10 years.
Result<Millis> parse_duration(std::string_view text);
// The shortest exact text: 90000 ms is "1m30s".
std::string format_duration(Millis duration);

// "512", "512B", "64KiB", "1MiB", "1GiB", "1TiB". Decimal units (KB, MB) are refused, because they
// are often written for the binary ones.
Result<std::uint64_t> parse_size(std::string_view text);
std::string format_size(std::uint64_t bytes);

}  // namespace triggerd
