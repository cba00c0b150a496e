// SQLite. A statement that fails takes only itself back, so a row that is at fault leaves its
// transaction as it is.
#include <sqlite3.h>

#include <algorithm>
#include <locale>
#include <memory>
#include <sstream>
#include <string>
#include <utility>
#include <vector>

#include "session.hpp"

namespace sql {
namespace {

double floating(const std::string& text) {
  std::istringstream in(text);
  in.imbue(std::locale::classic());
  double value = 0;
  in >> value;
  return value;
}

class Sqlite : public Session {
 public:
  Sqlite(const Settings& settings, TimePoint deadline) : settings_(settings) {
    constexpr int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX;
    sqlite3* raw = nullptr;
    const int opened = sqlite3_open_v2(settings.file.c_str(), &raw, flags, nullptr);
    database_.reset(raw);
    if (opened != SQLITE_OK) throw Unreachable("cannot open \"file\": " + said());
    sqlite3_extended_result_codes(raw, 1);
    sqlite3_progress_handler(raw, 1000, &Sqlite::is_late, this);
    begin_until(deadline);
    for (const std::string& pragma : {"PRAGMA journal_mode = " + settings.journal_mode,
                                      "PRAGMA synchronous = " + settings.synchronous,
                                      std::string("PRAGMA foreign_keys = ON")}) {
      if (run(pragma.c_str()) != SQLITE_OK) throw Unreachable(said());
    }
    prepare();
  }

  bool usable() override { return !broken_; }

  std::vector<Outcome> store(const std::vector<const Row*>& rows, TimePoint deadline) override {
    std::vector<Outcome> outcomes(rows.size());
    begin_until(deadline);
    bool row_is_at_fault = false;
    if (store_together(rows, outcomes, row_is_at_fault) || !row_is_at_fault) return outcomes;
    if (rows.size() == 1) {
      outcomes[0].fate = Fate::rejected;
      return outcomes;
    }
    for (std::size_t i = 0; i < rows.size(); ++i) {
      if (outcomes[i].fate == Fate::rejected) continue;
      outcomes[i] = std::move(store({rows[i]}, deadline)[0]);
    }
    return outcomes;
  }

  void probe(TimePoint deadline) override {
    begin_until(deadline);
    if (run("SELECT count(*) FROM sqlite_master") != SQLITE_OK) throw Unreachable(said());
  }

 private:
  // What this row would always get is a reject. SQLITE_ERROR is a function that refuses the row, or
  // a table that has become another.
  Fate fate_of(int code) {
    switch (code & 0xFF) {
      case SQLITE_CONSTRAINT:
      case SQLITE_MISMATCH:
      case SQLITE_TOOBIG:
        return Fate::rejected;
      case SQLITE_ERROR:
        return can_be_prepared() ? Fate::rejected : Fate::away;
      case SQLITE_FULL:
      case SQLITE_IOERR:
      case SQLITE_CANTOPEN:
      case SQLITE_READONLY:
      case SQLITE_NOTADB:
      case SQLITE_CORRUPT:
        return Fate::away;
      default:
        return Fate::again;
    }
  }

  bool can_be_prepared() {
    sqlite3_stmt* raw = nullptr;
    const int code =
        sqlite3_prepare_v2(database_.get(), settings_.statement.c_str(), -1, &raw, nullptr);
    sqlite3_finalize(raw);
    return code == SQLITE_OK;
  }

  struct Close {
    void operator()(sqlite3* database) const { sqlite3_close_v2(database); }
  };
  struct Finalize {
    void operator()(sqlite3_stmt* statement) const { sqlite3_finalize(statement); }
  };

  void prepare() {
    sqlite3_stmt* raw = nullptr;
    const int code = sqlite3_prepare_v3(database_.get(), settings_.statement.c_str(), -1,
                                        SQLITE_PREPARE_PERSISTENT, &raw, nullptr);
    statement_.reset(raw);
    if (code != SQLITE_OK || raw == nullptr) {
      if ((code & 0xFF) == SQLITE_ERROR) throw StatementRefused(said());
      throw Unreachable(said());
    }
    for (std::size_t i = 1; i <= settings_.parameters.size(); ++i) {
      indexes_.push_back(sqlite3_bind_parameter_index(raw, ("$" + std::to_string(i)).c_str()));
    }
  }

  // False: nothing is stored, and all outcomes that are not rejected say why;
  // `row_is_at_fault`: because of one of them, and it is not known which.
  bool store_together(const std::vector<const Row*>& rows, std::vector<Outcome>& outcomes,
                      bool& row_is_at_fault) {
    if (const int code = run("BEGIN IMMEDIATE"); code != SQLITE_OK) {
      return give_up(outcomes, code, said());
    }
    for (std::size_t i = 0; i < rows.size(); ++i) {
      const int code = step(*rows[i]);
      if (code == SQLITE_DONE) continue;
      const std::string text = said();
      // RAISE(ROLLBACK), a full disk: the others are gone with it.
      const bool gone = sqlite3_get_autocommit(database_.get()) != 0;
      const bool rejected = fate_of(code) == Fate::rejected;
      if (rejected) outcomes[i] = {Fate::rejected, text};
      if (rejected && !gone) continue;
      row_is_at_fault = rejected;
      return give_up(outcomes, code, text);
    }
    const int code = run("COMMIT");
    if (code != SQLITE_OK) {
      row_is_at_fault = fate_of(code) == Fate::rejected;  // a deferred foreign key
      return give_up(outcomes, code, said());
    }
    for (Outcome& outcome : outcomes) {
      if (outcome.fate != Fate::rejected) outcome = {Fate::stored, {}};
    }
    return true;
  }

  bool give_up(std::vector<Outcome>& outcomes, int code, const std::string& text) {
    const Fate fate = fate_of(code) == Fate::away ? Fate::away : Fate::again;
    if (sqlite3_get_autocommit(database_.get()) == 0 && run("ROLLBACK") != SQLITE_OK)
      broken_ = true;
    for (Outcome& outcome : outcomes) {
      if (outcome.fate != Fate::rejected) outcome = {fate, text};
    }
    return false;
  }

  int step(const Row& row) {
    sqlite3_stmt* statement = statement_.get();
    int code = SQLITE_OK;
    for (std::size_t i = 0; i < row.size() && code == SQLITE_OK; ++i)
      code = bind(indexes_[i], row[i]);
    if (code == SQLITE_OK) {
      do {
        code = sqlite3_step(statement);
      } while (code == SQLITE_ROW);  // of RETURNING
    }
    if (code != SQLITE_DONE) last_error_ = text_of(code);
    sqlite3_reset(statement);
    sqlite3_clear_bindings(statement);
    return code;
  }

  int bind(int index, const Value& value) {
    sqlite3_stmt* statement = statement_.get();
    if (value.null) return sqlite3_bind_null(statement, index);
    const char* text = value.text.c_str();
    switch (value.type) {
      case Type::integer:
        return sqlite3_bind_int64(statement, index, std::stoll(value.text));
      case Type::floating:
        return sqlite3_bind_double(statement, index, floating(value.text));
      case Type::boolean:
        return sqlite3_bind_int(statement, index, value.text == "true" ? 1 : 0);
      case Type::bytea:
        return sqlite3_bind_blob64(statement, index, text, value.text.size(), SQLITE_STATIC);
      case Type::text:
      case Type::timestamptz:
      case Type::json:
        break;
    }
    return sqlite3_bind_text64(statement, index, text, value.text.size(), SQLITE_STATIC,
                               SQLITE_UTF8);
  }

  int run(const char* sql) {
    const int code = sqlite3_exec(database_.get(), sql, nullptr, nullptr, nullptr);
    if (code != SQLITE_OK) last_error_ = text_of(code);
    return code;
  }

  std::string text_of(int code) const {
    return "SQLite says " + std::to_string(code) + ": " +
           trigger::printable(sqlite3_errmsg(database_.get()), 180);
  }
  std::string said() const {
    return last_error_.empty() ? text_of(sqlite3_extended_errcode(database_.get())) : last_error_;
  }

  void begin_until(TimePoint deadline) {
    using std::chrono::milliseconds;
    last_error_.clear();
    const auto now = std::chrono::steady_clock::now();
    deadline_ = deadline;
    if (settings_.statement_timeout) {
      deadline_ = std::min(deadline_, now + *settings_.statement_timeout);
    }
    const auto left = std::chrono::duration_cast<milliseconds>(deadline_ - now);
    const auto busy = std::clamp(left, milliseconds(0), settings_.busy_timeout);
    sqlite3_busy_timeout(database_.get(), static_cast<int>(busy.count()));
  }

  static int is_late(void* self) {
    return std::chrono::steady_clock::now() >= static_cast<Sqlite*>(self)->deadline_ ? 1 : 0;
  }

  const Settings& settings_;
  std::unique_ptr<sqlite3, Close> database_;
  std::unique_ptr<sqlite3_stmt, Finalize> statement_;
  std::vector<int> indexes_;
  TimePoint deadline_;
  std::string last_error_;
  bool broken_ = false;
};

}  // namespace

std::unique_ptr<Session> open_sqlite(const Settings& settings, TimePoint deadline) {
  return std::make_unique<Sqlite>(settings, deadline);
}

}  // namespace sql
