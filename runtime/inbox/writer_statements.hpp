// What the writer has prepared, as long as its connection lasts.
#pragma once

#include "inbox/database.hpp"
#include "inbox/writer.hpp"

namespace triggerd::inbox {

inline Monotonic now() {
  return std::chrono::steady_clock::now();
}

struct Writer::Statements {
  explicit Statements(Database& database)
      : insert(database,
               "INSERT INTO message (trigger_name, message_id, topic, payload, qos, retained,"
               " packet_id, attempts, received_ms, properties, expires_ms)"
               " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"),
        stage(database,
              "INSERT OR REPLACE INTO staged (client_id, key, message_id, packet)"
              " VALUES (?, ?, ?, ?)"),
        unstage(database, "DELETE FROM staged WHERE client_id = ? AND key = ?"),
        remove(database, "DELETE FROM message WHERE number = ?"),
        attempted(database, "UPDATE message SET attempts = ? WHERE number = ?"),
        retained(database,
                 "INSERT OR REPLACE INTO handled_retained (trigger_name, topic, sha256)"
                 " VALUES (?, ?, ?)") {}

  Statement insert;
  Statement stage;
  Statement unstage;
  Statement remove;
  Statement attempted;
  Statement retained;
};

}  // namespace triggerd::inbox
