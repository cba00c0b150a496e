#include "inbox/database.hpp"

#include <sqlite3.h>

namespace triggerd::inbox {
namespace {

constexpr int kBusyTimeoutMs = 5000;  // somebody looking with sqlite3(1)

}  // namespace

Result<std::unique_ptr<Database>> Database::open(const std::filesystem::path& file,
                                                 const std::string& vfs, bool& damaged) {
  damaged = false;
  sqlite3* handle = nullptr;
  constexpr int kFlags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX;
  const int code =
      sqlite3_open_v2(file.c_str(), &handle, kFlags, vfs.empty() ? nullptr : vfs.c_str());
  std::unique_ptr<Database> database(new Database(handle, file.string()));
  if (code != SQLITE_OK) return tl::make_unexpected(database->error("open"));
  sqlite3_extended_result_codes(handle, 1);
  sqlite3_busy_timeout(handle, kBusyTimeoutMs);
  if (auto set = database->execute("PRAGMA journal_mode = WAL; PRAGMA foreign_keys = ON"); !set) {
    damaged = database->corrupt();
    return tl::make_unexpected(set.error());
  }
  return database;
}

Database::~Database() {
  sqlite3_close_v2(handle_);
}

Result<> Database::execute(const std::string& sql) {
  if (sqlite3_exec(handle_, sql.c_str(), nullptr, nullptr, nullptr) != SQLITE_OK) {
    return tl::make_unexpected(error("use"));
  }
  return {};
}

Error Database::error(std::string_view doing) const {
  return Error{fmt::format("cannot {} {}: {}", doing, file_,
                           handle_ == nullptr ? "out of memory" : sqlite3_errmsg(handle_))};
}

bool Database::corrupt() const {
  if (handle_ == nullptr) return false;
  constexpr int kPrimary = 0xff;  // codes are extended ones
  const int code = sqlite3_errcode(handle_) & kPrimary;
  return code == SQLITE_CORRUPT || code == SQLITE_NOTADB;
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

// The pragma cannot change inside a transaction, so it comes first; it costs no system call.
Transaction::Transaction(Database& database, Sync sync)
    : database_(database),
      begun_(database.execute(sync == Sync::disk
                                  ? "PRAGMA synchronous = FULL; BEGIN IMMEDIATE"
                                  : "PRAGMA synchronous = NORMAL; BEGIN IMMEDIATE")) {}

Transaction::~Transaction() {
  if (begun_ && !committed_) (void)database_.execute("ROLLBACK");
}

Result<> Transaction::commit() {
  if (!begun_) return begun_;
  if (auto done = database_.execute("COMMIT"); !done) return done;
  committed_ = true;
  return {};
}

}  // namespace triggerd::inbox
