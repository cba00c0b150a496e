#include "inbox/message_rows.hpp"

namespace triggerd::inbox {

MessageInsert::MessageInsert(Database& database)
    : database_(database),
      statement_(database,
                 "INSERT INTO message (trigger_name, message_id, topic, payload, qos, retained,"
                 " packet_id, attempts, received_ms, properties, expires_ms)"
                 " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)") {}

Result<std::int64_t> MessageInsert::run(const MessageView& message, const RowClock& clock) {
  statement_.reset().bind_view(message.trigger).bind_view(message.message_id);
  statement_.bind_view(message.topic).bind_blob_view(message.payload);
  statement_.bind(std::int64_t{message.qos}).bind(std::int64_t{message.retained});
  statement_.bind(std::int64_t{message.packet_id}).bind(std::int64_t{message.attempts});
  statement_.bind(to_ms(message.received)).bind_optional_blob_view(message.properties);
  statement_.bind_optional(message.expires ? std::optional(clock.row_time(*message.expires))
                                           : std::nullopt);
  if (auto done = statement_.finish("write"); !done) return tl::make_unexpected(done.error());
  return database_.last_row();
}

StoredMessage message_of(const Statement& row, const RowClock& clock) {
  StoredMessage message{.number = row.number(0),
                        .message_id = row.text(1),
                        .trigger = row.text(2),
                        .topic = row.text(3),
                        .payload = row.text(4),
                        .qos = static_cast<int>(row.number(5)),
                        .retained = row.number(6) != 0,
                        .packet_id = static_cast<std::uint16_t>(row.number(7)),
                        .attempts = static_cast<std::uint32_t>(row.number(8)),
                        .received = from_ms(row.number(9)),
                        .properties = properties_of(row, 10)};
  if (!row.is_null(11)) message.expires = clock.time_of_row(row.number(11));
  return message;
}

MessageView view_of(const StoredMessage& message) {
  return {.trigger = message.trigger,
          .message_id = message.message_id,
          .topic = message.topic,
          .payload = message.payload,
          .qos = message.qos,
          .retained = message.retained,
          .packet_id = message.packet_id,
          .attempts = message.attempts,
          .received = message.received,
          .properties = message.properties ? std::optional<std::string_view>(*message.properties)
                                           : std::nullopt,
          .expires = message.expires};
}

std::optional<std::string> properties_of(const Statement& row, int column) {
  if (row.is_null(column)) return std::nullopt;
  return row.text(column);
}

}  // namespace triggerd::inbox
