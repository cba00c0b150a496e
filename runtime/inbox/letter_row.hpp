// Reads rows of the table dead_letter.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "inbox/database.hpp"
#include "inbox/inbox.hpp"

namespace triggerd::inbox {

// All columns but the payload, in the order of the index dead_letter_listed.
inline constexpr std::string_view kDeadLetterColumns =
    "number, died_ms, trigger_name, message_id, topic, qos, retained, reason, attempts, "
    "received_ms,"
    " properties";

inline std::optional<std::string> properties_of(const Statement& row, int column) {
  if (row.is_null(column)) return std::nullopt;
  return row.text(column);
}

inline DeadLetter dead_letter_of(const Statement& row) {
  return {.number = row.number(0),
          .message_id = row.text(3),
          .trigger = row.text(2),
          .topic = row.text(4),
          .payload = {},
          .qos = static_cast<int>(row.number(5)),
          .retained = row.number(6) != 0,
          .reason = row.text(7),
          .attempts = static_cast<std::uint32_t>(row.number(8)),
          .received = from_ms(row.number(9)),
          .died = from_ms(row.number(1)),
          .properties = properties_of(row, 10)};
}

// Reads the first `bytes` of its payload. False: the row is gone, or cannot be read.
inline bool read_payload(Database& database, DeadLetter& letter, std::size_t bytes) {
  const Blob payload(database, "dead_letter", "payload", letter.number);
  if (!payload.is_open()) return false;
  auto read = payload.first(bytes);
  if (!read) return false;
  letter.payload = *std::move(read);
  letter.payload_size = payload.size();
  return true;
}

}  // namespace triggerd::inbox
