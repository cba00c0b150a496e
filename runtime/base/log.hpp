// The log: one line for each event, with a stable event name and fields, for people ("text") or
// machines ("json").
//
// Thread-safe. spdlog stays inside log.cpp, because this header is included everywhere and has to
// be cheap. A secret never gets into a log line: config::Secret has no formatter.
#pragma once

#include <fmt/core.h>

#include <cstddef>
#include <initializer_list>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/log_level.hpp"

namespace triggerd {

struct LogField {
  std::string_view key;
  std::string value;
};

// The fields of one line: written in braces, or kept in a vector by callers that log the same ones
// often. It borrows them, so use it as a parameter and do not store it.
class LogFields {
 public:
  LogFields(std::initializer_list<LogField> fields) : size_(fields.size()) {
    first_ = fields.begin();
  }
  LogFields(const std::vector<LogField>& fields) : first_(fields.data()), size_(fields.size()) {}
  const LogField* begin() const { return first_; }
  const LogField* end() const { return first_ + size_; }
  std::size_t size() const { return size_; }

 private:
  const LogField* first_ = nullptr;
  std::size_t size_;
};

class Log {
 public:
  virtual ~Log() = default;
  virtual bool enabled(LogLevel level) const = 0;
  // Writes the line whatever its level: the caller has checked that, with enabled() or against a
  // level of its own. `event` is a stable dotted name ("connection.up"); `text` is for a person.
  virtual void write(LogLevel level, std::string_view event, LogFields fields,
                     std::string_view text) = 0;

  template <class... Args>
  void log(LogLevel level, std::string_view event, LogFields fields,
           fmt::format_string<Args...> format, Args&&... args) {
    if (enabled(level)) {
      write(level, event, fields, fmt::format(format, std::forward<Args>(args)...));
    }
  }
  template <class... Args>
  void debug(std::string_view event, LogFields fields, fmt::format_string<Args...> format,
             Args&&... args) {
    log(LogLevel::debug, event, fields, format, std::forward<Args>(args)...);
  }
  template <class... Args>
  void info(std::string_view event, LogFields fields, fmt::format_string<Args...> format,
            Args&&... args) {
    log(LogLevel::info, event, fields, format, std::forward<Args>(args)...);
  }
  template <class... Args>
  void warn(std::string_view event, LogFields fields, fmt::format_string<Args...> format,
            Args&&... args) {
    log(LogLevel::warn, event, fields, format, std::forward<Args>(args)...);
  }
  template <class... Args>
  void error(std::string_view event, LogFields fields, fmt::format_string<Args...> format,
             Args&&... args) {
    log(LogLevel::error, event, fields, format, std::forward<Args>(args)...);
  }
};

// A log to standard output that holds back repeated lines (limited_log.hpp). `name` is the
// runtime's and is in every JSON line. docs/reference/logs.md describes
// them.
std::unique_ptr<Log> make_log(LogLevel level, LogFormat format, std::string name);

}  // namespace triggerd
