// SQLite behind RAII. Not thread-safe: Inbox holds its lock around every use.
//
// Errors are kept in the database object instead of being returned by each bind and step: a
// statement that failed does nothing more, and finish() or Transaction::commit() tells.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "base/clock.hpp"
#include "base/result.hpp"

struct sqlite3;
struct sqlite3_stmt;

namespace triggerd::inbox {

// Times are kept as milliseconds since 1970-01-01 UTC.
inline std::int64_t to_ms(Wall time) {
  return std::chrono::duration_cast<Millis>(time.time_since_epoch()).count();
}
inline Wall from_ms(std::int64_t ms) {
  return Wall(Millis(ms));
}

class Database {
 public:
  // `vfs` is the name of an SQLite VFS; empty: the system's files. Where it fails, `damaged` says
  // whether that is for what is in the file.
  static Result<std::unique_ptr<Database>> open(const std::filesystem::path& file,
                                                const std::string& vfs, bool& damaged);
  ~Database();
  Database(const Database&) = delete;
  Database& operator=(const Database&) = delete;

  // Runs one or more statements without parameters or results.
  Result<> execute(const std::string& sql);
  // An error that carries SQLite's own words and the file's name.
  Error error(std::string_view doing) const;
  // The latest error: the file is no database, or a damaged one.
  bool corrupt() const;
  // How many rows the last statement inserted, changed or deleted.
  std::int64_t changes() const;
  // The number of the row that was inserted last.
  std::int64_t last_row() const;

 private:
  friend class Statement;
  Database(sqlite3* handle, std::string file) : handle_(handle), file_(std::move(file)) {}

  sqlite3* const handle_;
  const std::string file_;
};

// One prepared statement: bind in order, then step.
class Statement {
 public:
  Statement(Database& database, std::string_view sql);
  ~Statement();
  Statement(const Statement&) = delete;
  Statement& operator=(const Statement&) = delete;

  Statement& bind(std::string_view text);
  Statement& bind(std::int64_t number);
  Statement& bind_blob(std::string_view bytes);
  // nullopt is NULL.
  Statement& bind_optional(std::optional<std::int64_t> number);
  Statement& bind_optional_blob(const std::optional<std::string>& bytes);
  // The same without a copy: the bytes stay as they are until reset().
  Statement& bind_view(std::string_view text);
  Statement& bind_blob_view(std::string_view bytes);
  Statement& bind_optional_blob_view(std::optional<std::string_view> bytes);

  // True while there is a row. False at the end, and after an error.
  bool step();
  std::string text(int column) const;
  std::int64_t number(int column) const;
  bool is_null(int column) const;

  // Steps to the end; the first error of prepare, bind or step.
  Result<> finish(std::string_view doing);
  // Makes it ready for other values. An error stays.
  Statement& reset();

 private:
  Statement& bind_null();

  Database& database_;
  sqlite3_stmt* handle_ = nullptr;
  int code_;
  int bound_ = 0;
};

// Rolls back unless committed.
class Transaction {
 public:
  enum class Sync { process, disk };
  Transaction(Database& database, Sync sync);
  ~Transaction();
  Transaction(const Transaction&) = delete;
  Transaction& operator=(const Transaction&) = delete;
  Result<> commit();

 private:
  Database& database_;
  Result<> begun_;
  bool committed_ = false;
};

}  // namespace triggerd::inbox
