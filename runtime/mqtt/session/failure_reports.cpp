#include "mqtt/session/failure_reports.hpp"

#include <fmt/format.h>

#include "base/units.hpp"

namespace triggerd::mqtt {
namespace {

// How often the same failure is a warning.
constexpr std::chrono::minutes kTellAgain{5};

}  // namespace

void FailureReports::failed(const std::string& why, Millis delay, Monotonic now) {
  if (last_.empty()) since_ = now;
  const bool is_news = why != last_ || now - told_ >= kTellAgain;
  if (is_news) told_ = now;
  last_ = why;
  const auto lasted = std::chrono::floor<std::chrono::minutes>(now - since_);
  log_.log(
      is_news ? LogLevel::warn : LogLevel::debug, "connection.failed", "{}; next attempt in {}{}",
      why, format_duration(delay),
      lasted.count() < 1 ? "" : fmt::format("; not connected for {}", format_duration(lasted)));
}

}  // namespace triggerd::mqtt
