#include "inbox/outgoing_rows.hpp"

#include "inbox/message_rows.hpp"

namespace triggerd::inbox {

OutgoingInsert::OutgoingInsert(Database& database)
    : database_(database),
      statement_(database,
                 "INSERT INTO outgoing (alias, packet_id, topic, payload, qos, retained,"
                 " properties, kept_ms, expires_ms) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)") {}

Result<std::int64_t> OutgoingInsert::run(const OutgoingView& message, const RowClock& clock) {
  statement_.reset().bind_view(message.alias).bind(std::int64_t{message.packet_id});
  statement_.bind_view(message.topic).bind_blob_view(message.payload);
  statement_.bind(std::int64_t{message.qos}).bind(std::int64_t{message.retained});
  statement_.bind_optional_blob_view(message.properties).bind(to_ms(message.kept));
  statement_.bind_optional(message.expires ? std::optional(clock.row_time(*message.expires))
                                           : std::nullopt);
  if (auto done = statement_.finish("write"); !done) return tl::make_unexpected(done.error());
  return database_.last_row();
}

OutgoingMessage outgoing_of(const Statement& row, const RowClock& clock) {
  OutgoingMessage message{.number = row.number(0),
                          .packet_id = static_cast<std::uint16_t>(row.number(1)),
                          .topic = row.text(2),
                          .payload = row.text(3),
                          .qos = static_cast<int>(row.number(4)),
                          .retained = row.number(5) != 0,
                          .properties = properties_of(row, 6),
                          .kept = from_ms(row.number(7))};
  if (!row.is_null(8)) message.expires = clock.time_of_row(row.number(8));
  return message;
}

}  // namespace triggerd::inbox
