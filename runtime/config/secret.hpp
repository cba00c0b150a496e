// A value that must never be shown: it cannot be formatted, printed or compared by accident.
#pragma once

#include <string>
#include <utility>

namespace triggerd::config {

class Secret {
 public:
  Secret() = default;
  explicit Secret(std::string value) : value_(std::move(value)) {}
  bool empty() const { return value_.empty(); }
  // For callers that pass the value on, for example to the MQTT library.
  const std::string& reveal() const { return value_; }

 private:
  std::string value_;
};

}  // namespace triggerd::config
