// Settings that several plugins have.
#pragma once

#include <cstdint>
#include <string_view>
#include <trigger/cpp/settings.hpp>

namespace plugin_common {

// A quality of service to publish with. Throws trigger::SettingError where it is none.
inline int qos_setting(const trigger::Settings& settings, std::string_view key, int absent) {
  const std::int64_t qos = settings.integer(key, absent);
  if (qos < 0 || qos > 2) throw trigger::SettingError(key, "must be 0, 1 or 2");
  return static_cast<int>(qos);
}

}  // namespace plugin_common
