// The log of one connection: every line carries the fields that name the connection. Any thread.
#pragma once

#include <string_view>
#include <utility>
#include <vector>

#include "base/log.hpp"
#include "mqtt/mqtt.hpp"

namespace triggerd::mqtt {

class ConnectionLog {
 public:
  ConnectionLog(Log& log, const ConnectionOptions& options)
      : log_(log), fields_(fields_of(options)) {}

  template <class... Args>
  void log(LogLevel level, std::string_view event, fmt::format_string<Args...> format,
           Args&&... args) const {
    log_.log(level, event, fields_, format, std::forward<Args>(args)...);
  }
  template <class... Args>
  void info(std::string_view event, fmt::format_string<Args...> format, Args&&... args) const {
    log(LogLevel::info, event, format, std::forward<Args>(args)...);
  }
  template <class... Args>
  void warn(std::string_view event, fmt::format_string<Args...> format, Args&&... args) const {
    log(LogLevel::warn, event, format, std::forward<Args>(args)...);
  }
  template <class... Args>
  void error(std::string_view event, fmt::format_string<Args...> format, Args&&... args) const {
    log(LogLevel::error, event, format, std::forward<Args>(args)...);
  }

 private:
  static std::vector<LogField> fields_of(const ConnectionOptions& options) {
    std::vector<LogField> fields{{"alias", options.alias}};
    if (!options.trigger.empty()) fields.push_back({"trigger", options.trigger});
    fields.push_back({"client_id", options.client_id});
    return fields;
  }

  Log& log_;
  const std::vector<LogField> fields_;
};

}  // namespace triggerd::mqtt
