// sql: stores each message as a row in PostgreSQL or SQLite, many of them in one transaction.
#include <algorithm>
#include <chrono>
#include <memory>
#include <mutex>
#include <string>
#include <trigger/plugin.hpp>
#include <utility>
#include <vector>

#include "parameter.hpp"
#include "session.hpp"
#include "settings.hpp"

namespace sql {
namespace {

using trigger::Message;
using trigger::Verdict;

class Sql {
 public:
  // Each worker has a connection of its own; SQLite lets one of them write at a time.
  static constexpr bool concurrent = true;

  explicit Sql(const trigger::Context& context)
      : context_(context),
        settings_(read_settings(context)),
        rows_(context.counter("sql_rows_total", "Rows that were committed")),
        rejected_(context.counter("sql_rejected_total", "Rows that the database refused")),
        batches_(context.counter("sql_batches_total", "Transactions that were tried")),
        connections_(context.counter("sql_connections_total", "Connections that were opened")),
        reconnects_(context.counter("sql_reconnects_total", "Connections that were lost")) {}

  // A database that is unavailable may come back, so the service starts without it. A statement
  // that the database does not understand will never work.
  void start() {
    try {
      give_back(open(std::chrono::steady_clock::now() + probe_time()));
    } catch (const StatementRefused& error) {
      throw trigger::SettingError("statement", std::string("cannot be prepared: ") + error.what());
    } catch (const Unreachable& error) {
      context_.warn(
          std::string("starting without the database, and trying again with each message: ") +
          error.what());
    }
  }

  void stop() {
    const std::lock_guard lock(mutex_);
    idle_.clear();
  }

  Verdict handle(const Message& message) {
    Made made = make_row(settings_.parameters, message);
    if (!made.row) return Verdict::reject(std::move(made.problem));
    return verdict_of(store({&*made.row}, deadline_of(message))[0]);
  }

  void handle_batch(trigger::Batch& batch) {
    std::vector<Row> rows;
    std::vector<std::size_t> numbers;
    rows.reserve(batch.size());
    TimePoint deadline = TimePoint::max();
    for (std::size_t i = 0; i < batch.size(); ++i) {
      Made made = make_row(settings_.parameters, batch[i]);
      if (!made.row) {
        batch.answer(i, Verdict::reject(std::move(made.problem)));
        continue;
      }
      deadline = std::min(deadline, deadline_of(batch[i]));
      rows.push_back(std::move(*made.row));
      numbers.push_back(i);
    }
    if (rows.empty()) return;
    std::vector<const Row*> pointers;
    pointers.reserve(rows.size());
    for (const Row& row : rows) pointers.push_back(&row);
    const std::vector<Outcome> outcomes = store(pointers, deadline);
    for (std::size_t i = 0; i < outcomes.size(); ++i) {
      batch.answer(numbers[i], verdict_of(outcomes[i]));
    }
  }

  void probe() {
    const TimePoint deadline = std::chrono::steady_clock::now() + probe_time();
    std::unique_ptr<Session> session = take(deadline);
    session->probe(deadline);
    give_back(std::move(session));
  }

 private:
  static Verdict verdict_of(const Outcome& outcome) {
    switch (outcome.fate) {
      case Fate::stored:
        return Verdict::ok();
      case Fate::rejected:
        return Verdict::reject(outcome.reason);
      case Fate::away:
        return Verdict::unavailable(outcome.reason);
      case Fate::again:
        break;
    }
    return Verdict::retry(outcome.reason);
  }

  // A little before the runtime's own deadline, because a verdict that is late does not count.
  static TimePoint deadline_of(const Message& message) {
    constexpr std::chrono::milliseconds slack(20);
    const std::chrono::nanoseconds ns(static_cast<std::int64_t>(message.raw().deadline_mono_ns));
    return TimePoint(std::chrono::duration_cast<TimePoint::duration>(ns)) - slack;
  }

  std::chrono::milliseconds probe_time() const {
    constexpr std::chrono::milliseconds most(5000);
    return settings_.database == Kind::sqlite ? most : std::min(settings_.connect_timeout, most);
  }

  std::vector<Outcome> store(const std::vector<const Row*>& rows, TimePoint deadline) {
    std::unique_ptr<Session> session;
    try {
      session = take(deadline);
    } catch (const StatementRefused& error) {
      return std::vector<Outcome>(
          rows.size(),
          {Fate::away, std::string("the statement cannot be prepared: ") + error.what()});
    } catch (const Unreachable& error) {
      return std::vector<Outcome>(rows.size(), {Fate::away, error.what()});
    }
    batches_.add();
    std::vector<Outcome> outcomes = session->store(rows, deadline);
    give_back(std::move(session));
    const auto count = [&outcomes](Fate fate) {
      return std::count_if(outcomes.begin(), outcomes.end(),
                           [fate](const Outcome& outcome) { return outcome.fate == fate; });
    };
    rows_.add(static_cast<double>(count(Fate::stored)));
    rejected_.add(static_cast<double>(count(Fate::rejected)));
    return outcomes;
  }

  std::unique_ptr<Session> open(TimePoint deadline) {
    auto session = settings_.database == Kind::sqlite ? open_sqlite(settings_, deadline)
                                                      : open_postgresql(settings_, deadline);
    connections_.add();
    return session;
  }

  std::unique_ptr<Session> take(TimePoint deadline) {
    for (;;) {
      std::unique_ptr<Session> session;
      {
        const std::lock_guard lock(mutex_);
        if (idle_.empty()) break;
        session = std::move(idle_.back());
        idle_.pop_back();
      }
      if (session->usable()) return session;
      reconnects_.add();
    }
    return open(deadline);
  }

  void give_back(std::unique_ptr<Session> session) {
    const std::lock_guard lock(mutex_);
    idle_.push_back(std::move(session));
  }

  const trigger::Context context_;
  const Settings settings_;
  const trigger::Metric rows_;
  const trigger::Metric rejected_;
  const trigger::Metric batches_;
  const trigger::Metric connections_;
  const trigger::Metric reconnects_;

  std::mutex mutex_;
  std::vector<std::unique_ptr<Session>> idle_;  // protected by mutex_
};

}  // namespace
}  // namespace sql

TRIGGER_PLUGIN("sql", "1.0.0", trigger::service<sql::Sql>("sql"));
