// The statements that the writer has prepared, for as long as its connection lasts.
#pragma once

#include "inbox/message_rows.hpp"
#include "inbox/writer.hpp"

namespace triggerd::inbox {

struct Writer::Statements {
  explicit Statements(Database& database)
      : insert(database),
        keep_id(database,
                "INSERT OR REPLACE INTO awaiting_pubrel (client_id, packet_id, message_id)"
                " VALUES (?, ?, ?)"),
        forget_id(database, "DELETE FROM awaiting_pubrel WHERE client_id = ? AND packet_id = ?"),
        remove(database, "DELETE FROM message WHERE number = ?"),
        attempted(database, "UPDATE message SET attempts = ? WHERE number = ?"),
        retained(database,
                 "INSERT OR REPLACE INTO handled_retained (trigger_name, topic, sha256)"
                 " VALUES (?, ?, ?)") {}

  MessageInsert insert;
  Statement keep_id;
  Statement forget_id;
  Statement remove;
  Statement attempted;
  Statement retained;
};

}  // namespace triggerd::inbox
