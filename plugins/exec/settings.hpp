// The settings of a trigger, read and checked.
#pragma once

#include <chrono>
#include <cstddef>
#include <string>
#include <trigger/plugin.hpp>
#include <vector>

namespace exec_plugin {

struct Settings {
  std::string program;                   // the path to execute
  std::vector<std::string> command;      // its arguments, argv[0] first
  std::string working_dir;               // empty: the runtime's
  std::vector<std::string> environment;  // all of it: NAME=value
  std::vector<std::string> watched;      // files; a change of one is a reload
  std::size_t processes;
  std::size_t in_flight;  // the most messages that a process has in hand
  std::size_t batch;      // the most of them in one line; 1: no batches
  bool always_base64;
  std::chrono::milliseconds start_timeout;
  std::chrono::milliseconds stop_timeout;
  trigger::Level stderr_level;  // of what a process writes to standard error
  std::string service;          // what the command gets as its own settings: a JSON object
};

// Throws trigger::SettingError. Looks at files, and starts nothing.
Settings read_settings(const trigger::Context& context);

}  // namespace exec_plugin
