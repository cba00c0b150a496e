#include "inbox/database.hpp"

#include <sqlite3.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <iterator>

namespace triggerd::inbox {
namespace {

// Some builds of SQLite overwrite all that is deleted unless told otherwise: a removal would need
// as much room in the WAL as the message has.
constexpr const char* kPragmas =
    "PRAGMA journal_mode = WAL; PRAGMA foreign_keys = ON; PRAGMA secure_delete = FAST";
constexpr int kBusyTimeoutMs = 5000;  // somebody looking with sqlite3(1)

}  // namespace

Result<std::unique_ptr<Database>> Database::open(const std::filesystem::path& file,
                                                 const std::string& vfs, bool& damaged) {
  damaged = false;
  std::unique_ptr<Database> database(new Database(file.string(), vfs));
  if (auto connected = database->connect(SQLITE_OPEN_CREATE, kPragmas); !connected) {
    damaged = database->corrupt();
    return tl::make_unexpected(connected.error());
  }
  return database;
}

Result<std::unique_ptr<Database>> Database::open_to_read(const std::filesystem::path& file,
                                                         const std::string& vfs) {
  std::unique_ptr<Database> database(new Database(file.string(), vfs));
  if (auto connected = database->connect(0, "PRAGMA query_only = ON"); !connected) {
    return tl::make_unexpected(connected.error());
  }
  return database;
}

Result<> Database::connect(int more_flags, const char* pragmas) {
  const int code = sqlite3_open_v2(file_.c_str(), &handle_,
                                   SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX | more_flags,
                                   vfs_.empty() ? nullptr : vfs_.c_str());
  if (code != SQLITE_OK) return tl::make_unexpected(error("open"));
  sqlite3_extended_result_codes(handle_, 1);
  sqlite3_busy_timeout(handle_, kBusyTimeoutMs);
  return execute(pragmas);
}

void Database::close() {
  sqlite3_close_v2(handle_);
  handle_ = nullptr;
}

Database::~Database() {
  // What is removed at the end is what has the names of the open files.
  const auto lost = this->lost();
  if (lost && lost->part == 0 && !lost->gone) (void)leave_name();
  if (lost) sqlite3_db_config(handle_, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, nullptr);
  close();
}

Result<> Database::execute(const std::string& sql) {
  if (sqlite3_exec(handle_, sql.c_str(), nullptr, nullptr, nullptr) != SQLITE_OK) {
    return tl::make_unexpected(error("use"));
  }
  return {};
}

Error Database::error(std::string_view doing) const {
  return Error{fmt::format("cannot {} {}: {}", doing, file_,
                           handle_ == nullptr ? "it is not open" : sqlite3_errmsg(handle_)),
               full() ? kNoRoom : 0};
}

bool Database::corrupt() const {
  if (handle_ == nullptr) return false;
  constexpr int kPrimary = 0xff;  // codes are extended ones
  const int code = sqlite3_errcode(handle_) & kPrimary;
  return code == SQLITE_CORRUPT || code == SQLITE_NOTADB;
}

bool Database::full() const {
  if (handle_ == nullptr) return false;
  const int code = sqlite3_extended_errcode(handle_);
  constexpr int kPrimary = 0xff;
  if ((code & kPrimary) == SQLITE_FULL || code == SQLITE_IOERR_SHMSIZE) return true;
  const int reason = sqlite3_system_errno(handle_);
  return (code & kPrimary) == SQLITE_IOERR && (reason == ENOSPC || reason == EDQUOT);
}

// ---- The files ----

std::uint64_t Database::bytes_of(int file_control) const {
  sqlite3_file* file = nullptr;
  if (handle_ == nullptr ||
      sqlite3_file_control(handle_, "main", file_control, &file) != SQLITE_OK || file == nullptr ||
      file->pMethods == nullptr) {
    return 0;
  }
  sqlite3_int64 size = 0;
  return file->pMethods->xFileSize(file, &size) == SQLITE_OK ? static_cast<std::uint64_t>(size) : 0;
}

std::uint64_t Database::file_bytes() const {
  return bytes_of(SQLITE_FCNTL_FILE_POINTER);
}

std::uint64_t Database::wal_bytes() const {
  return bytes_of(SQLITE_FCNTL_JOURNAL_POINTER);
}

Database::Checkpoint Database::checkpoint() {
  if (handle_ == nullptr) return Checkpoint::failed;
  sqlite3_busy_timeout(handle_, 0);
  const int code =
      sqlite3_wal_checkpoint_v2(handle_, "main", SQLITE_CHECKPOINT_TRUNCATE, nullptr, nullptr);
  sqlite3_busy_timeout(handle_, kBusyTimeoutMs);
  if (code == SQLITE_OK) return Checkpoint::done;
  constexpr int kPrimary = 0xff;
  const bool held = (code & kPrimary) == SQLITE_BUSY || (code & kPrimary) == SQLITE_LOCKED;
  return held ? Checkpoint::held : Checkpoint::failed;
}

void Database::remember_files() {
  if (!vfs_.empty()) return;
  for (std::size_t part = 0; part < std::size(kParts); ++part) {
    remembered_[part] = identity_of_file(name_of(part));
  }
}

std::optional<Database::Lost> Database::lost() const {
  for (std::size_t part = 0; part < std::size(kParts); ++part) {
    if (!remembered_[part]) continue;
    const auto now = identity_of_file(name_of(part));
    if (now != remembered_[part]) return Lost{.part = part, .gone = !now};
  }
  return std::nullopt;
}

bool Database::leave_name() {
  if (checkpoint() != Checkpoint::done) return false;
  for (const std::size_t part : {1, 2}) {
    const std::string name = name_of(part);
    if (remembered_[part] && identity_of_file(name) == remembered_[part]) ::unlink(name.c_str());
  }
  return true;
}

Result<> Database::reopen() {
  if (handle_ != nullptr) {
    // Closing would remove what has the names of the open files.
    sqlite3_db_config(handle_, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, nullptr);
    close();
  }
  for (auto& remembered : remembered_) remembered.reset();
  auto connected = connect(0, kPragmas);
  if (connected) {
    // The WAL and its index are made by the first who reads.
    Statement query(*this, "SELECT COUNT(*) FROM sqlite_schema");
    connected = query.finish("read");
  }
  if (!connected) {
    close();
    return connected;
  }
  remember_files();
  return {};
}

std::int64_t Database::changes() const {
  return sqlite3_changes(handle_);
}

std::int64_t Database::last_row() const {
  return sqlite3_last_insert_rowid(handle_);
}

Statement::Statement(Database& database, std::string_view sql) : database_(database) {
  code_ = sqlite3_prepare_v2(database.handle_, sql.data(), static_cast<int>(sql.size()), &handle_,
                             nullptr);
}

Statement::~Statement() {
  sqlite3_finalize(handle_);
}

Statement& Statement::bind(std::string_view text) {
  if (code_ == SQLITE_OK) {
    code_ = sqlite3_bind_text64(handle_, ++bound_, text.data() == nullptr ? "" : text.data(),
                                text.size(), SQLITE_TRANSIENT, SQLITE_UTF8);
  }
  return *this;
}

Statement& Statement::bind(std::int64_t number) {
  if (code_ == SQLITE_OK) code_ = sqlite3_bind_int64(handle_, ++bound_, number);
  return *this;
}

Statement& Statement::bind_blob(std::string_view bytes) {
  if (code_ == SQLITE_OK) {
    code_ = sqlite3_bind_blob64(handle_, ++bound_, bytes.data() == nullptr ? "" : bytes.data(),
                                bytes.size(), SQLITE_TRANSIENT);
  }
  return *this;
}

Statement& Statement::bind_null() {
  if (code_ == SQLITE_OK) code_ = sqlite3_bind_null(handle_, ++bound_);
  return *this;
}

Statement& Statement::bind_optional(std::optional<std::int64_t> number) {
  return number ? bind(*number) : bind_null();
}

Statement& Statement::bind_optional_blob(const std::optional<std::string>& bytes) {
  return bytes ? bind_blob(std::string_view(*bytes)) : bind_null();
}

Statement& Statement::bind_optional_blob_view(std::optional<std::string_view> bytes) {
  return bytes ? bind_blob_view(*bytes) : bind_null();
}

Statement& Statement::bind_view(std::string_view text) {
  if (code_ == SQLITE_OK) {
    code_ = sqlite3_bind_text64(handle_, ++bound_, text.data() == nullptr ? "" : text.data(),
                                text.size(), SQLITE_STATIC, SQLITE_UTF8);
  }
  return *this;
}

Statement& Statement::bind_blob_view(std::string_view bytes) {
  if (code_ == SQLITE_OK) {
    code_ = sqlite3_bind_blob64(handle_, ++bound_, bytes.data() == nullptr ? "" : bytes.data(),
                                bytes.size(), SQLITE_STATIC);
  }
  return *this;
}

Statement& Statement::reset() {
  if (code_ == SQLITE_DONE || code_ == SQLITE_ROW) {
    sqlite3_reset(handle_);
    code_ = SQLITE_OK;
  }
  bound_ = 0;
  return *this;
}

bool Statement::step() {
  if (code_ != SQLITE_OK && code_ != SQLITE_ROW) return false;
  code_ = sqlite3_step(handle_);
  return code_ == SQLITE_ROW;
}

std::string Statement::text(int column) const {
  const void* bytes = sqlite3_column_blob(handle_, column);
  const auto size = static_cast<std::size_t>(sqlite3_column_bytes(handle_, column));
  return bytes == nullptr ? std::string() : std::string(static_cast<const char*>(bytes), size);
}

std::int64_t Statement::number(int column) const {
  return sqlite3_column_int64(handle_, column);
}

bool Statement::is_null(int column) const {
  return sqlite3_column_type(handle_, column) == SQLITE_NULL;
}

Result<> Statement::finish(std::string_view doing) {
  while (step()) {
  }
  if (code_ != SQLITE_DONE) return tl::make_unexpected(database_.error(doing));
  return {};
}

Blob::Blob(Database& database, const char* table, const char* column, std::int64_t row) {
  if (database.handle_ == nullptr) return;
  if (sqlite3_blob_open(database.handle_, "main", table, column, row, 0, &handle_) != SQLITE_OK) {
    handle_ = nullptr;
  }
}

Blob::~Blob() {
  sqlite3_blob_close(handle_);
}

std::size_t Blob::size() const {
  return static_cast<std::size_t>(sqlite3_blob_bytes(handle_));
}

std::optional<std::string> Blob::first(std::size_t bytes) const {
  std::string read(std::min(bytes, size()), '\0');
  const int code = sqlite3_blob_read(handle_, read.data(), static_cast<int>(read.size()), 0);
  return code == SQLITE_OK ? std::optional(std::move(read)) : std::nullopt;
}

// The pragma cannot change inside a transaction, so it comes first; it costs no system call.
Result<Transaction> Transaction::begin(Database& database, Sync sync) {
  auto begun =
      database.execute(sync == Sync::disk ? "PRAGMA synchronous = FULL; BEGIN IMMEDIATE"
                                          : "PRAGMA synchronous = NORMAL; BEGIN IMMEDIATE");
  if (!begun) return tl::make_unexpected(begun.error());
  return Transaction(database);
}

Transaction::~Transaction() {
  if (database_ != nullptr) (void)database_->execute("ROLLBACK");
}

Result<> Transaction::commit() {
  if (const auto lost = database_->lost()) {
    return fail("{}{} {}", database_->file(), Database::kParts[lost->part], lost->what());
  }
  if (auto done = database_->execute("COMMIT"); !done) return done;
  database_ = nullptr;
  return {};
}

}  // namespace triggerd::inbox
