// How a row of the table dead_letter is read.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "inbox/database.hpp"
#include "inbox/inbox.hpp"

namespace triggerd::inbox {

inline constexpr std::string_view kDeadLetterColumns =
    "number, message_id, trigger_name, topic, payload, qos, retained, reason, attempts, "
    "received_ms,"
    " died_ms, properties";

inline std::optional<std::string> properties_of(const Statement& row, int column) {
  if (row.is_null(column)) return std::nullopt;
  return row.text(column);
}

inline DeadLetter dead_letter_of(const Statement& row) {
  return {.number = row.number(0),
          .message_id = row.text(1),
          .trigger = row.text(2),
          .topic = row.text(3),
          .payload = row.text(4),
          .qos = static_cast<int>(row.number(5)),
          .retained = row.number(6) != 0,
          .reason = row.text(7),
          .attempts = static_cast<std::uint32_t>(row.number(8)),
          .received = from_ms(row.number(9)),
          .died = from_ms(row.number(10)),
          .properties = properties_of(row, 11)};
}

}  // namespace triggerd::inbox
