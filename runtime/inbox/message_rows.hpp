// Whole rows of the table `message`: read, and written. Whoever adds one adds it here, and in
// schema.cpp; dead_letters.cpp has those of `dead_letter`.
//
// The inbox's lock guards what is made of its connection.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "inbox/database.hpp"
#include "inbox/operations.hpp"
#include "inbox/records.hpp"
#include "inbox/row_clock.hpp"

namespace triggerd::inbox {

// Adds messages: prepared once for any number of them.
class MessageInsert {
 public:
  explicit MessageInsert(Database& database);

  // Returns the row's number.
  Result<std::int64_t> run(const MessageView& message, const RowClock& clock);

 private:
  Database& database_;
  Statement statement_;
};

// The columns that message_of() reads.
inline constexpr std::string_view kMessageColumns =
    "number, message_id, trigger_name, topic, payload, qos, retained, packet_id, attempts,"
    " received_ms, properties, expires_ms";
StoredMessage message_of(const Statement& row, const RowClock& clock);

// Valid as long as the message.
MessageView view_of(const StoredMessage& message);

// Of a message or a dead letter: NULL if it came over MQTT 3.1.1.
std::optional<std::string> properties_of(const Statement& row, int column);

}  // namespace triggerd::inbox
