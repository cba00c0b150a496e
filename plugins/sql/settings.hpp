// [triggers.settings] of sql, read and checked.
#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <trigger/plugin.hpp>
#include <vector>

#include "parameter.hpp"

namespace sql {

enum class Kind { postgresql, sqlite };

struct Settings {
  Kind database = Kind::postgresql;
  std::string statement;
  std::vector<Parameter> parameters;
  std::chrono::milliseconds connect_timeout{};
  std::optional<std::chrono::milliseconds> statement_timeout;  // the deadline counts too

  // PostgreSQL
  std::string connection;     // as libpq reads it
  std::string password_file;  // empty: none

  // SQLite
  std::string file;
  std::string journal_mode;
  std::string synchronous;
  std::chrono::milliseconds busy_timeout{};
};

// Throws trigger::SettingError. Checks files, but never uses the network or a database.
Settings read_settings(const trigger::Context& context);

}  // namespace sql
