// SQLite behind RAII. Not thread-safe: Inbox holds its lock around every use.
//
// Errors are kept in the database object instead of being returned by each bind and step: a
// statement that failed does nothing more, and finish() or Transaction::commit() tells.
#pragma once

#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "base/clock.hpp"
#include "base/file.hpp"
#include "base/result.hpp"

struct sqlite3;
struct sqlite3_blob;
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
  // The three files of a database.
  static constexpr const char* kParts[] = {"", "-wal", "-shm"};

  // `vfs` is the name of an SQLite VFS; empty: the system's files. Where it fails, `damaged` says
  // whether that is for what is in the file.
  static Result<std::unique_ptr<Database>> open(const std::filesystem::path& file,
                                                const std::string& vfs, bool& damaged);
  // Of a file that is there, by somebody who only reads: it is never made, nor changed.
  static Result<std::unique_ptr<Database>> open_to_read(const std::filesystem::path& file,
                                                        const std::string& vfs);
  ~Database();
  Database(const Database&) = delete;
  Database& operator=(const Database&) = delete;

  bool is_open() const { return handle_ != nullptr; }
  const std::string& file() const { return file_; }
  // Runs one or more statements without parameters or results.
  Result<> execute(const std::string& sql);
  // An error that carries SQLite's own words and the file's name; its code is kNoRoom where there
  // is no room for more.
  static constexpr int kNoRoom = ENOSPC;
  Error error(std::string_view doing) const;
  // The latest error: the file is no database, or a damaged one.
  bool corrupt() const;
  // Sizes of the files, in bytes, of those that are open.
  std::uint64_t file_bytes() const;
  std::uint64_t wal_bytes() const;
  // Moves everything from the WAL to the file and gives its room back. It waits for nobody.
  enum class Checkpoint {
    done,
    held,   // somebody still reads from the WAL, or writes
    failed  // there is no room, say
  };
  Checkpoint checkpoint();

  // What stands at the names of the open files.
  struct Lost {
    std::size_t part;  // of kParts
    bool gone;         // else it is another file
    std::string what() const { return gone ? "is gone" : "is another file than the open one"; }
  };
  // Takes the files at their names for those that are open. Without it lost() finds nothing.
  void remember_files();
  std::optional<Lost> lost() const;
  // What was at the name of the file when they were remembered.
  std::optional<FileIdentity> remembered_file() const { return remembered_[0]; }
  // Another file has the name: what is in the WAL goes to the open one, and the WAL and its index
  // are removed, which would be taken for the other's. False: not now, as somebody reads them.
  bool leave_name();
  // Closes the files as they are, and opens what is at their names. Where that fails everything
  // else does too, until it is called again.
  Result<> reopen();

  // How many rows the last statement inserted, changed or deleted.
  std::int64_t changes() const;
  // The number of the row that was inserted last.
  std::int64_t last_row() const;

 private:
  friend class Statement;
  friend class Blob;
  Database(std::string file, std::string vfs) : file_(std::move(file)), vfs_(std::move(vfs)) {}
  Result<> connect(int more_flags, const char* pragmas);
  void close();
  bool full() const;
  std::string name_of(std::size_t part) const { return file_ + kParts[part]; }
  std::uint64_t bytes_of(int file_control) const;

  sqlite3* handle_ = nullptr;
  const std::string file_;
  const std::string vfs_;
  std::optional<FileIdentity> remembered_[3];
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

// A value of a row, read by pieces: only the pages that it is on are.
class Blob {
 public:
  Blob(Database& database, const char* table, const char* column, std::int64_t row);
  ~Blob();
  Blob(const Blob&) = delete;
  Blob& operator=(const Blob&) = delete;

  bool is_open() const { return handle_ != nullptr; }
  std::size_t size() const;
  // The first `bytes`, or all where there are fewer. nullopt: it cannot be read.
  std::optional<std::string> first(std::size_t bytes) const;

 private:
  sqlite3_blob* handle_ = nullptr;
};

// Rolls back unless committed. It is not committed where the files at their names are not the open
// ones: nobody would find it.
class Transaction {
 public:
  enum class Sync { process, disk };
  // An error: it has not begun, and statements that are run all the same stand for themselves.
  static Result<Transaction> begin(Database& database, Sync sync);
  ~Transaction();
  Transaction(Transaction&& other) noexcept : database_(std::exchange(other.database_, nullptr)) {}
  Transaction& operator=(Transaction&&) = delete;
  Result<> commit();

 private:
  explicit Transaction(Database& database) : database_(&database) {}

  Database* database_;  // null: it is over, or another one has it
};

}  // namespace triggerd::inbox
