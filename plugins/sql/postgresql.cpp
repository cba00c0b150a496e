// PostgreSQL over libpq. A batch is one transaction in one round trip (pipeline mode): if it fails,
// a second one finds out why, row by row.
#include <libpq-fe.h>
#include <poll.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "common/password_file.hpp"
#include "session.hpp"

namespace sql {
namespace {

constexpr const char* statement_name = "store";

struct FreeResult {
  void operator()(PGresult* result) const { PQclear(result); }
};
using Result = std::unique_ptr<PGresult, FreeResult>;

// A type id of pg_type.h, which PostgreSQL promises not to change. 0: whatever the statement
// expects.
Oid type_id(Type type) {
  switch (type) {
    case Type::integer:
      return 20;
    case Type::floating:
      return 701;
    case Type::boolean:
      return 16;
    case Type::bytea:
      return 17;
    case Type::timestamptz:
      return 1184;
    case Type::text:
    case Type::json:
      break;
  }
  return 0;
}

// Decided by the SQLSTATE (PostgreSQL's manual, appendix A): an error that this row would always
// get is a reject; one about the server, the transaction or the settings may go away.
Fate fate_of(std::string_view sqlstate) {
  constexpr std::array<std::string_view, 6> of_the_row{
      "21",  // cardinality
      "22",  // data
      "23",  // constraint
      "44",  // WITH CHECK OPTION
      "54",  // program limit: a row that is too large for an index
      "P0"   // RAISE in a trigger
  };
  const bool row =
      std::find(of_the_row.begin(), of_the_row.end(), sqlstate.substr(0, 2)) != of_the_row.end();
  if (row) return Fate::rejected;
  // The connection, resources, a server that shuts down or starts, one that became a standby.
  const std::string_view group = sqlstate.substr(0, 2);
  const bool away = group == "08" || group == "53" || sqlstate == "25006" ||
                    (group == "57" && sqlstate != "57014");
  return away ? Fate::away : Fate::again;
}

// Whether it is about all rows of the transaction, rather than about one.
bool is_of_the_transaction(std::string_view sqlstate) {
  constexpr std::array<std::string_view, 7> groups{"08", "25", "40", "53", "57", "58", "XX"};
  return std::find(groups.begin(), groups.end(), sqlstate.substr(0, 2)) != groups.end();
}

// Whether the same connection may be used again: a conflict with others is no reason against it. A
// new connection finds the new primary, and knows the current table.
bool spares_the_connection(std::string_view sqlstate) {
  const std::string_view group = sqlstate.substr(0, 2);
  return fate_of(sqlstate) == Fate::rejected || group == "40" || group == "55" ||
         sqlstate == "57014";
}

// Whether its outcome is final, whatever happens to the other rows.
bool is_settled(const Outcome& outcome) {
  return outcome.fate != Fate::again || !outcome.reason.empty();
}

std::string trimmed(const char* text) {
  std::string_view view = text == nullptr ? "" : text;
  while (!view.empty() && (view.back() == '\n' || view.back() == ' ')) view.remove_suffix(1);
  return trigger::printable(view, 180);
}

int left_ms(TimePoint deadline) {
  using std::chrono::milliseconds;
  const auto left = std::chrono::ceil<milliseconds>(deadline - std::chrono::steady_clock::now());
  return static_cast<int>(std::clamp<std::int64_t>(left.count(), 0, 86'400'000));
}

// False: the deadline has passed.
bool wait_for(PGconn* connection, short events, TimePoint deadline) {
  pollfd socket{PQsocket(connection), events, 0};
  for (;;) {
    const int ms = left_ms(deadline);
    const int ready = ::poll(&socket, 1, ms);
    if (ready > 0) return true;
    if (ready == 0 && ms == 0) return false;
    if (ready < 0 && errno != EINTR) return true;  // libpq will say what is wrong
  }
}

class Postgresql : public Session {
 public:
  Postgresql(const Settings& settings, TimePoint deadline) : settings_(settings) {
    connect(std::min(deadline, std::chrono::steady_clock::now() + settings.connect_timeout));
    prepare(deadline);
  }

  bool usable() override {
    if (broken_ || PQstatus(connection_.get()) != CONNECTION_OK) return false;
    // A server that has stopped left a message, and the end of the connection behind it.
    pollfd socket{PQsocket(connection_.get()), POLLIN, 0};
    while (::poll(&socket, 1, 0) > 0) {
      if (PQconsumeInput(connection_.get()) != 1) return false;
    }
    return PQstatus(connection_.get()) == CONNECTION_OK;
  }

  std::vector<Outcome> store(const std::vector<const Row*>& rows, TimePoint deadline) override {
    std::vector<Outcome> outcomes(rows.size());
    try {
      store(rows, outcomes, deadline);
    } catch (const TooSlow& error) {
      give_up(outcomes, Fate::again, error.what());
    } catch (const Unreachable& error) {
      give_up(outcomes, Fate::away, error.what());
    }
    return outcomes;
  }

  void probe(TimePoint deadline) override {
    try {
      if (const auto problem = run({{"SELECT 1", nullptr}}, deadline)) {
        throw Unreachable(problem->text);
      }
    } catch (const Unreachable&) {
      broken_ = true;
      throw;
    }
  }

 private:
  void give_up(std::vector<Outcome>& outcomes, Fate fate, const char* reason) {
    broken_ = true;
    for (Outcome& outcome : outcomes) {
      if (!is_settled(outcome)) outcome = {fate, reason};
    }
  }

  // SQL, or the prepared statement with a row.
  struct Command {
    const char* sql;
    const Row* row;
  };
  struct Problem {
    std::size_t command;  // the first that failed
    Fate fate;
    bool of_the_transaction;
    std::string text;
  };

  void connect(TimePoint deadline) {
    std::string password;
    if (!settings_.password_file.empty()) {
      try {
        password = plugin_common::read_password(settings_.password_file);
      } catch (const std::runtime_error& error) {
        throw Unreachable(std::string("setting \"password_file\" ") + error.what());
      }
    }
    std::vector<const char*> names{"dbname", "client_encoding", "fallback_application_name"};
    std::vector<const char*> values{settings_.connection.c_str(), "UTF8", "triggerd"};
    if (!password.empty()) {
      names.push_back("password");
      values.push_back(password.c_str());
    }
    names.push_back(nullptr);
    values.push_back(nullptr);
    connection_.reset(PQconnectStartParams(names.data(), values.data(), 1));
    if (!connection_) throw Unreachable("no connection to PostgreSQL: out of memory");
    PQsetNoticeProcessor(
        connection_.get(), [](void*, const char*) {}, nullptr);
    PostgresPollingStatusType state = PGRES_POLLING_WRITING;
    while (state != PGRES_POLLING_OK) {
      if (state == PGRES_POLLING_FAILED || PQstatus(connection_.get()) == CONNECTION_BAD) {
        throw Unreachable("no connection to PostgreSQL: " + said());
      }
      const short events = state == PGRES_POLLING_READING ? POLLIN : POLLOUT;
      if (!wait_for(connection_.get(), events, deadline)) {
        throw Unreachable("no connection to PostgreSQL in time");
      }
      state = PQconnectPoll(connection_.get());
    }
    if (PQsetnonblocking(connection_.get(), 1) != 0 ||
        PQenterPipelineMode(connection_.get()) != 1) {
      throw Unreachable("no connection to PostgreSQL: " + said());
    }
  }

  void prepare(TimePoint deadline) {
    std::vector<Oid> types;
    for (const Parameter& parameter : settings_.parameters)
      types.push_back(type_id(parameter.type));
    need(PQsendPrepare(connection_.get(), statement_name, settings_.statement.c_str(),
                       static_cast<int>(types.size()), types.data()));
    need(PQpipelineSync(connection_.get()));
    if (const auto problem = read_results(1, deadline)) {
      // Other errors, such as that the server is shutting down, say nothing about the statement.
      if (is_about_the_statement_) throw StatementRefused(problem->text);
      throw Unreachable(problem->text);
    }
  }

  void store(const std::vector<const Row*>& rows, std::vector<Outcome>& outcomes,
             TimePoint deadline) {
    std::vector<Command> commands{{"BEGIN", nullptr}, limit(deadline)};
    for (const Row* row : rows) commands.push_back({nullptr, row});
    commands.push_back({"COMMIT", nullptr});
    const std::optional<Problem> problem = run(commands, deadline);
    if (!problem) {
      for (Outcome& outcome : outcomes) outcome = {Fate::stored, {}};
      return;
    }
    roll_back(deadline);
    if (problem->of_the_transaction || rows.size() == 1) {
      for (Outcome& outcome : outcomes) outcome = {problem->fate, problem->text};
    } else if (problem->command + 1 < commands.size()) {
      store_with_savepoints(rows, outcomes, deadline);
    } else {
      store_singly(rows, outcomes, deadline);  // a constraint that is checked at COMMIT
    }
  }

  // Leaves rows that are at fault out of the transaction.
  void store_with_savepoints(const std::vector<const Row*>& rows, std::vector<Outcome>& outcomes,
                             TimePoint deadline) {
    std::optional<Problem> problem = run({{"BEGIN", nullptr}, limit(deadline)}, deadline);
    for (std::size_t i = 0; i < rows.size() && !problem; ++i) {
      problem =
          run({{"SAVEPOINT row", nullptr}, {nullptr, rows[i]}, {"RELEASE row", nullptr}}, deadline);
      if (!problem || problem->of_the_transaction) continue;
      outcomes[i] = {problem->fate, problem->text};
      problem = run({{"ROLLBACK TO row", nullptr}, {"RELEASE row", nullptr}}, deadline);
    }
    if (!problem) problem = run({{"COMMIT", nullptr}}, deadline);
    if (problem) roll_back(deadline);
    if (problem && !problem->of_the_transaction) {
      store_singly(rows, outcomes, deadline);
      return;
    }
    for (Outcome& outcome : outcomes) {
      if (is_settled(outcome)) continue;
      outcome = problem ? Outcome{problem->fate, problem->text} : Outcome{Fate::stored, {}};
    }
  }

  void store_singly(const std::vector<const Row*>& rows, std::vector<Outcome>& outcomes,
                    TimePoint deadline) {
    for (std::size_t i = 0; i < rows.size(); ++i) {
      if (is_settled(outcomes[i])) continue;
      std::vector<Outcome> one(1);
      store({rows[i]}, one, deadline);
      outcomes[i] = std::move(one[0]);
    }
  }

  // The server gives up by itself when nobody is waiting any more.
  Command limit(TimePoint deadline) {
    int ms = std::max(left_ms(deadline), 1);
    if (settings_.statement_timeout) {
      ms = std::min(ms, static_cast<int>(settings_.statement_timeout->count()));
    }
    limit_ = "SET LOCAL statement_timeout = " + std::to_string(ms);
    return {limit_.c_str(), nullptr};
  }

  void roll_back(TimePoint deadline) {
    if (PQtransactionStatus(connection_.get()) == PQTRANS_IDLE) return;
    if (const auto problem = run({{"ROLLBACK", nullptr}}, deadline))
      throw Unreachable(problem->text);
  }

  std::optional<Problem> run(const std::vector<Command>& commands, TimePoint deadline) {
    for (const Command& command : commands) {
      need(command.sql != nullptr ? PQsendQueryParams(connection_.get(), command.sql, 0, nullptr,
                                                      nullptr, nullptr, nullptr, 0)
                                  : send_row(*command.row));
    }
    need(PQpipelineSync(connection_.get()));
    return read_results(commands.size(), deadline);
  }

  int send_row(const Row& row) {
    values_.clear();
    lengths_.clear();
    formats_.clear();
    for (const Value& value : row) {
      values_.push_back(value.null ? nullptr : value.text.c_str());
      lengths_.push_back(static_cast<int>(value.text.size()));
      formats_.push_back(value.type == Type::bytea ? 1 : 0);
    }
    return PQsendQueryPrepared(connection_.get(), statement_name, static_cast<int>(row.size()),
                               values_.data(), lengths_.data(), formats_.data(), 0);
  }

  // The results of `count` commands and the sync after them.
  std::optional<Problem> read_results(std::size_t count, TimePoint deadline) {
    std::optional<Problem> problem;
    std::size_t command = 0;
    bool between = true;  // NULL ends the results of a command
    for (;;) {
      const Result result = next_result(deadline);
      if (!result) {
        if (between) throw Unreachable("PostgreSQL's answer is incomplete");
        between = true;
        ++command;
        continue;
      }
      between = false;
      const ExecStatusType status = PQresultStatus(result.get());
      if (status == PGRES_PIPELINE_SYNC) break;
      if (status != PGRES_FATAL_ERROR && status != PGRES_BAD_RESPONSE) continue;
      const char* sqlstate = PQresultErrorField(result.get(), PG_DIAG_SQLSTATE);
      if (sqlstate == nullptr) throw Unreachable("the connection to PostgreSQL is lost: " + said());
      if (problem) continue;
      problem = Problem{command, fate_of(sqlstate), is_of_the_transaction(sqlstate),
                        text_of(result.get(), sqlstate)};
      if (!spares_the_connection(sqlstate)) broken_ = true;
    }
    if (!problem && command < count) throw Unreachable("PostgreSQL's answer is incomplete");
    return problem;
  }

  std::string text_of(PGresult* result, std::string_view sqlstate) {
    const std::string_view group = sqlstate.substr(0, 2);
    is_about_the_statement_ = group == "42" || group == "22" || group == "0A";
    std::string text = "PostgreSQL says " + std::string(sqlstate) + ": " +
                       trimmed(PQresultErrorField(result, PG_DIAG_MESSAGE_PRIMARY));
    const std::string detail = trimmed(PQresultErrorField(result, PG_DIAG_MESSAGE_DETAIL));
    return detail.empty() ? text : text + " (" + detail + ")";
  }

  Result next_result(TimePoint deadline) {
    for (;;) {
      const int unsent = PQflush(connection_.get());
      if (unsent < 0) throw Unreachable("the connection to PostgreSQL is lost: " + said());
      if (PQisBusy(connection_.get()) == 0) return Result(PQgetResult(connection_.get()));
      const short events = unsent > 0 ? POLLIN | POLLOUT : POLLIN;
      if (!wait_for(connection_.get(), events, deadline)) {
        throw TooSlow("PostgreSQL did not answer in time");
      }
      if (PQconsumeInput(connection_.get()) != 1) {
        throw Unreachable("the connection to PostgreSQL is lost: " + said());
      }
    }
  }

  void need(int taken) {
    if (taken != 1) throw Unreachable("the connection to PostgreSQL is lost: " + said());
  }
  std::string said() const { return trimmed(PQerrorMessage(connection_.get())); }

  const Settings& settings_;
  std::unique_ptr<PGconn, decltype(&PQfinish)> connection_{nullptr, &PQfinish};
  bool broken_ = false;
  bool is_about_the_statement_ = false;  // the last error
  std::string limit_;

  // Of send_row, kept for their memory.
  std::vector<const char*> values_;
  std::vector<int> lengths_;
  std::vector<int> formats_;
};

}  // namespace

std::unique_ptr<Session> open_postgresql(const Settings& settings, TimePoint deadline) {
  return std::make_unique<Postgresql>(settings, deadline);
}

}  // namespace sql
