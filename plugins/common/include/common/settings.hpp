// Settings that several plugins have.
#pragma once

#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <trigger/cpp/settings.hpp>
#include <utility>

namespace plugin_common {

// All of these throw trigger::SettingError if the setting is not what they describe.

// A quality of service to publish with.
inline int qos_setting(const trigger::Settings& settings, std::string_view key, int absent) {
  const std::int64_t qos = settings.integer(key, absent);
  if (qos < 0 || qos > 2) throw trigger::SettingError(key, "must be 0, 1 or 2");
  return static_cast<int>(qos);
}

// One of several words, as the value that it stands for; `problem` continues 'setting "KEY" '.
template <class T, std::size_t count>
T choice(const trigger::Settings& settings, std::string_view key, const char* absent,
         const std::array<std::pair<std::string_view, T>, count>& choices, const char* problem) {
  const std::string wanted = settings.text(key, absent);
  for (const auto& [name, value] : choices) {
    if (name == wanted) return value;
  }
  throw trigger::SettingError(key, problem);
}

inline std::int64_t integer_between(const trigger::Settings& settings, std::string_view key,
                                    std::int64_t absent, std::int64_t least, std::int64_t most) {
  const std::int64_t value = settings.integer(key, absent);
  if (value < least || value > most) {
    throw trigger::SettingError(
        key, "must be from " + std::to_string(least) + " to " + std::to_string(most));
  }
  return value;
}

inline std::chrono::milliseconds seconds(const trigger::Settings& settings, std::string_view key,
                                         double absent) {
  constexpr double most = 86'400;
  const double value = settings.number(key, absent);
  if (value < 0.001 || value > most) {
    throw trigger::SettingError(key, "must be from 0.001 to 86400 seconds");
  }
  return std::chrono::milliseconds(static_cast<std::int64_t>(value * 1000));
}

// A file that is there and may be read; empty if the setting is absent.
inline std::string readable_file(const trigger::Settings& settings, std::string_view key) {
  std::string file = settings.text(key, "");
  if (!settings.has(key)) return file;
  struct stat about {};
  if (::stat(file.c_str(), &about) != 0 || !S_ISREG(about.st_mode) ||
      ::access(file.c_str(), R_OK) != 0) {
    throw trigger::SettingError(key, "must name a readable file");
  }
  return file;
}

}  // namespace plugin_common
