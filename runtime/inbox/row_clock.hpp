// Times of rows, which stay true when the wall clock is set.
//
// Rows have wall-clock times. While the process runs they are converted to and from monotonic time
// with the difference between the two clocks as it was when it was last checked; when the wall
// clock is set, the rows are changed by as much.
//
// The inbox's lock guards it.
#pragma once

#include <cstdint>

#include "base/clock.hpp"
#include "base/result.hpp"
#include "inbox/database.hpp"

namespace triggerd::inbox {

class RowClock {
 public:
  explicit RowClock(const Clock& clock) : clock_(clock), wall_ahead_(wall_ahead_now()) {}

  // A file was opened. If the clock was set back since its newest message came, its rows follow.
  Result<> begin(Database& database) const;
  // If the clock was set, the rows follow. After an error, times go on to be counted from where
  // the clock was. [the writer]
  Result<> follow(Database& database, Transaction::Sync sync);

  std::int64_t row_time(Monotonic time) const;
  std::int64_t row_now() const { return row_time(clock_.now()); }
  Monotonic time_of_row(std::int64_t ms) const;

 private:
  std::int64_t wall_ahead_now() const;

  const Clock& clock_;
  std::int64_t wall_ahead_;  // of monotonic time, in milliseconds
};

}  // namespace triggerd::inbox
