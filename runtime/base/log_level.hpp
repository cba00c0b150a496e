// The level and the format of the log, which the configuration sets.
#pragma once

#include <optional>
#include <string_view>

namespace triggerd {

enum class LogLevel { trace, debug, info, warn, error };
enum class LogFormat { text, json };

std::optional<LogLevel> parse_log_level(std::string_view text);
std::string_view to_string(LogLevel level);

}  // namespace triggerd
