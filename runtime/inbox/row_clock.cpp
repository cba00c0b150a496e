#include "inbox/row_clock.hpp"

namespace triggerd::inbox {
namespace {

// Between two looks the clocks drift apart by less, unless one of them is set.
constexpr std::int64_t kSetMs = 1'000;

template <class Time>
std::int64_t ms_of(Time time) {
  return std::chrono::duration_cast<Millis>(time.time_since_epoch()).count();
}

Result<> shift_times(Database& database, std::int64_t ms, Transaction::Sync sync) {
  auto transaction = Transaction::begin(database, sync);
  if (!transaction) return tl::make_unexpected(transaction.error());
  std::int64_t changes = 0;
  // A list may have a million keys, so it says once what is to be added to all of them.
  for (const char* sql :
       {"UPDATE message SET received_ms = received_ms + ?1, expires_ms = expires_ms + ?1"
        " WHERE expires_ms IS NOT NULL",
        "UPDATE outgoing SET kept_ms = kept_ms + ?1, expires_ms = expires_ms + ?1"
        " WHERE expires_ms IS NOT NULL",
        "UPDATE key_list SET shifted_ms = shifted_ms + ?1"}) {
    Statement shift(database, sql);
    if (auto done = shift.bind(ms).finish("write"); !done) return done;
    changes += database.changes();
  }
  if (changes == 0) return {};
  return transaction->commit();
}

}  // namespace

std::int64_t RowClock::wall_ahead_now() const {
  return ms_of(clock_.wall()) - ms_of(clock_.now());
}

std::int64_t RowClock::row_time(Monotonic time) const {
  return ms_of(time) + wall_ahead_;
}

Monotonic RowClock::time_of_row(std::int64_t ms) const {
  return Monotonic(Millis(ms - wall_ahead_));
}

// The clock cannot have been before the newest message or key: it was set back while nobody looked.
Result<> RowClock::begin(Database& database) const {
  std::int64_t newest = 0;
  Statement query(database,
                  "SELECT MAX(ms) FROM ("
                  "SELECT MAX(received_ms) AS ms FROM message WHERE expires_ms IS NOT NULL"
                  " UNION ALL SELECT MAX(kept_ms) FROM outgoing WHERE expires_ms IS NOT NULL"
                  " UNION ALL SELECT shifted_ms + (SELECT handled_ms FROM handled_key"
                  " WHERE handled_key.list = key_list.list ORDER BY number DESC LIMIT 1)"
                  " FROM key_list)");
  if (query.step()) newest = query.number(0);
  if (auto read = query.finish("read"); !read) return read;
  const std::int64_t back = newest - ms_of(clock_.wall());
  return back < kSetMs ? Result<>() : shift_times(database, -back, Transaction::Sync::disk);
}

Result<> RowClock::follow(Database& database, Transaction::Sync sync) {
  const std::int64_t set = wall_ahead_now() - wall_ahead_;
  if (set < kSetMs && -set < kSetMs) return {};
  if (auto shifted = shift_times(database, set, sync); !shifted) return shifted;
  wall_ahead_ += set;
  return {};
}

}  // namespace triggerd::inbox
