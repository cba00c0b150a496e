// SQLite behind RAII. Not thread-safe: Inbox holds its lock around every use.
//
// A statement remembers its first error instead of returning one from each bind and step. After an
// error it does nothing more, and finish() or Transaction::commit() returns the error.
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

// Times are stored as milliseconds since 1970-01-01 UTC.
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
  // SQLite's default.
  static constexpr std::uint64_t kPageBytes = 4096;

  // `vfs` is the name of an SQLite VFS; empty: the system's files. After an error, `damaged` says
  // whether the reason is the file's content.
  static Result<std::unique_ptr<Database>> open(const std::filesystem::path& file,
                                                const std::string& vfs, bool& damaged);
  // For reading only: the file has to exist, and is not changed.
  static Result<std::unique_ptr<Database>> open_to_read(const std::filesystem::path& file,
                                                        const std::string& vfs);
  ~Database();
  Database(const Database&) = delete;
  Database& operator=(const Database&) = delete;

  bool is_open() const { return handle_ != nullptr; }
  const std::string& file() const { return file_; }
  // Runs one or more statements without parameters or results.
  Result<> execute(const std::string& sql);
  // An error with SQLite's text and the file's name. Its code is kNoRoom if there is no space left.
  static constexpr int kNoRoom = ENOSPC;
  Error error(std::string_view doing) const;
  // Whether the latest error was that the file is not a database, or a damaged one.
  bool corrupt() const;
  // Sizes of the open files in bytes.
  std::uint64_t file_bytes() const;
  std::uint64_t wal_bytes() const;
  // Moves everything from the WAL to the file and truncates the WAL. Waits for nobody.
  enum class Checkpoint {
    done,
    held,   // somebody still reads from the WAL, or writes to it
    failed  // there is no space, for example
  };
  Checkpoint checkpoint();

  // A file that is no longer the open one under its name.
  struct Lost {
    std::size_t part;  // its index in kParts
    bool gone;         // false: another file has its name
    std::string what() const { return gone ? "is gone" : "is another file than the open one"; }
  };
  // Remembers the files that have the names now as the open ones. Before that, lost() finds
  // nothing.
  void remember_files();
  std::optional<Lost> lost() const;
  // The main file, as it was remembered.
  std::optional<FileIdentity> remembered_file() const { return remembered_[0]; }
  // Called when another file has the name: moves the WAL's content to the open file, and removes
  // the WAL and its index, which would be taken for the other file's. False: not now, because
  // somebody reads them.
  bool leave_name();
  // Closes the files as they are, and opens those at their names. After an error everything else
  // fails too, until this is called again.
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

// A prepared statement: bind the parameters in their order, then step.
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
  // The same without a copy: the bytes have to stay unchanged until reset().
  Statement& bind_view(std::string_view text);
  Statement& bind_blob_view(std::string_view bytes);
  Statement& bind_optional_blob_view(std::optional<std::string_view> bytes);

  // True: there is a row. False: the end, or an error.
  bool step();
  std::string text(int column) const;
  std::int64_t number(int column) const;
  bool is_null(int column) const;

  // Steps to the end. Returns the first error of prepare, bind or step.
  Result<> finish(std::string_view doing);
  // Makes it ready for new values. An error is kept.
  Statement& reset();

 private:
  Statement& bind_null();

  Database& database_;
  sqlite3_stmt* handle_ = nullptr;
  int code_;
  int bound_ = 0;
};

// A value of a row, of which only the needed pages are read.
class Blob {
 public:
  Blob(Database& database, const char* table, const char* column, std::int64_t row);
  ~Blob();
  Blob(const Blob&) = delete;
  Blob& operator=(const Blob&) = delete;

  bool is_open() const { return handle_ != nullptr; }
  std::size_t size() const;
  // The first `bytes`, or all if there are fewer. nullopt: they cannot be read.
  std::optional<std::string> first(std::size_t bytes) const;

 private:
  sqlite3_blob* handle_ = nullptr;
};

// A transaction that is rolled back unless it is committed. commit() fails if the open files are
// not those at their names, because nobody would find the changes.
class Transaction {
 public:
  enum class Sync { process, disk };
  // After an error it has not begun; statements that are run all the same are transactions of their
  // own.
  static Result<Transaction> begin(Database& database, Sync sync);
  ~Transaction();
  Transaction(Transaction&& other) noexcept : database_(std::exchange(other.database_, nullptr)) {}
  Transaction& operator=(Transaction&&) = delete;
  Result<> commit();

 private:
  explicit Transaction(Database& database) : database_(&database) {}

  Database* database_;  // null: it is over, or was moved
};

}  // namespace triggerd::inbox
