// A connection to an SQLite database, for tests that look at one or need a second one.
#pragma once

#include <sqlite3.h>

#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace triggerd::test {

class SqliteConnection {
 public:
  using Rows = std::vector<std::string>;

  // `vfs`: its name, or nullptr for the real disk.
  explicit SqliteConnection(const std::string& file, const char* vfs = nullptr) {
    constexpr int kFlags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX;
    opened_ = sqlite3_open_v2(file.c_str(), &handle_, kFlags, vfs);
  }
  ~SqliteConnection() { sqlite3_close(handle_); }
  SqliteConnection(const SqliteConnection&) = delete;
  SqliteConnection& operator=(const SqliteConnection&) = delete;

  // SQLite's result code, of opening the database where that failed.
  int run(const std::string& sql) const { return run(sql, nullptr); }

  // Columns are joined by '|'. nullopt: it failed.
  std::optional<Rows> rows(const std::string& sql) const {
    Rows found;
    return run(sql, &found) == SQLITE_OK ? std::optional(std::move(found)) : std::nullopt;
  }

  int extended_error() const { return sqlite3_extended_errcode(handle_); }

 private:
  int run(const std::string& sql, Rows* into) const {
    if (opened_ != SQLITE_OK) return opened_;
    const auto add = [](void* rows, int columns, char** values, char**) {
      if (rows == nullptr) return 0;
      std::string row;
      for (int i = 0; i < columns; ++i) {
        if (i > 0) row += '|';
        if (values[i] != nullptr) row += values[i];
      }
      static_cast<Rows*>(rows)->push_back(std::move(row));
      return 0;
    };
    return sqlite3_exec(handle_, sql.c_str(), add, into, nullptr);
  }

  sqlite3* handle_ = nullptr;
  int opened_;
};

}  // namespace triggerd::test
