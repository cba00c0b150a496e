// Whole rows of the table `outgoing`: read, and written. Whoever adds a column adds it here, and in
// schema.cpp.
//
// The inbox's lock guards what is made of its connection.
#pragma once

#include <cstdint>
#include <string_view>

#include "inbox/database.hpp"
#include "inbox/operations.hpp"
#include "inbox/records.hpp"
#include "inbox/row_clock.hpp"

namespace triggerd::inbox {

// Adds messages: prepared once for any number of them.
class OutgoingInsert {
 public:
  explicit OutgoingInsert(Database& database);

  // Returns the row's number.
  Result<std::int64_t> run(const OutgoingView& message, const RowClock& clock);

 private:
  Database& database_;
  Statement statement_;
};

// The columns that outgoing_of() reads.
inline constexpr std::string_view kOutgoingColumns =
    "number, packet_id, topic, payload, qos, retained, properties, kept_ms, expires_ms";
OutgoingMessage outgoing_of(const Statement& row, const RowClock& clock);

}  // namespace triggerd::inbox
