// What the service needs from a database of any kind.
#pragma once

#include <chrono>
#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

#include "parameter.hpp"
#include "settings.hpp"

namespace sql {

using TimePoint = std::chrono::steady_clock::time_point;

// What happened to a row.
enum class Fate {
  stored,    // and committed
  rejected,  // the row is at fault: it would be rejected every time
  again,     // something else is; it may be unknown whether the row was committed
  away       // the database cannot be used now by any row; the same may be unknown
};

struct Outcome {
  Fate fate = Fate::again;
  std::string reason;
};

// The database cannot be used now.
class Unreachable : public std::runtime_error {
  using std::runtime_error::runtime_error;
};

// No answer came in time, which a row may have caused.
class TooSlow : public Unreachable {
  using Unreachable::Unreachable;
};

// The database does not understand the statement.
class StatementRefused : public std::runtime_error {
  using std::runtime_error::runtime_error;
};

// A connection with its prepared statement. One thread at a time. No function continues past its
// deadline.
class Session {
 public:
  Session() = default;
  virtual ~Session() = default;
  Session(const Session&) = delete;
  Session& operator=(const Session&) = delete;

  // Whether it may be used again, as far as one can know without asking the server.
  virtual bool usable() = 0;
  // Runs the statement for each row, in their order and in one transaction. A rejected row does not
  // affect the others. Returns one outcome per row.
  virtual std::vector<Outcome> store(const std::vector<const Row*>& rows, TimePoint deadline) = 0;
  // Asks the database a trivial question. Throws Unreachable.
  virtual void probe(TimePoint deadline) = 0;
};

// Both throw Unreachable or StatementRefused.
std::unique_ptr<Session> open_postgresql(const Settings& settings, TimePoint deadline);
std::unique_ptr<Session> open_sqlite(const Settings& settings, TimePoint deadline);

}  // namespace sql
