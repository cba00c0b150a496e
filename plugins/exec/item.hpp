// A message that waits for its verdict.
#pragma once

#include <chrono>
#include <string>
#include <trigger/plugin.hpp>

namespace exec_plugin {

using Clock = std::chrono::steady_clock;

struct Item {
  std::string token;
  std::string opened;  // see opened_message()
  trigger::Completion completion;
  Clock::time_point deadline;
};

}  // namespace exec_plugin
