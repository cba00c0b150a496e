// An inbox as version 5 of the schema left it, the last one that kept QoS 2 messages of MQTT 3.1.1
// as packets and those of MQTT 5 under keys of the MQTT library.
#pragma once

#include <filesystem>
#include <string>

#include "support/sqlite_connection.hpp"

namespace triggerd::test {

// Steps 1 to 5 of schema.cpp: what was released never changes.
inline constexpr const char* kInboxVersion5 = R"sql(
CREATE TABLE client_id (           -- generated once for an alias that names none
  alias     TEXT PRIMARY KEY,
  client_id TEXT NOT NULL
) STRICT, WITHOUT ROWID;
CREATE TABLE session (             -- client ids under which a persistent session was made
  client_id TEXT PRIMARY KEY
) STRICT, WITHOUT ROWID;
CREATE TABLE subscription (        -- the filters the server may hold in that session
  client_id TEXT NOT NULL REFERENCES session ON DELETE CASCADE,
  filter    TEXT NOT NULL,
  PRIMARY KEY (client_id, filter)
) STRICT, WITHOUT ROWID;
CREATE TABLE dead_letter (
  number       INTEGER PRIMARY KEY AUTOINCREMENT,
  message_id   TEXT NOT NULL,
  trigger_name TEXT NOT NULL,
  topic        TEXT NOT NULL,
  payload      BLOB NOT NULL,
  qos          INTEGER NOT NULL,
  retained     INTEGER NOT NULL,
  reason       TEXT NOT NULL,
  attempts     INTEGER NOT NULL,
  received_ms  INTEGER NOT NULL,   -- milliseconds since 1970-01-01 UTC
  died_ms      INTEGER NOT NULL
) STRICT;
CREATE INDEX dead_letter_by_trigger ON dead_letter (trigger_name, number);
CREATE TABLE handled_retained (    -- for retained = "once"
  trigger_name TEXT NOT NULL,
  topic        TEXT NOT NULL,
  sha256       TEXT NOT NULL,      -- of the payload
  PRIMARY KEY (trigger_name, topic)
) STRICT, WITHOUT ROWID;
CREATE TABLE message (             -- accepted, and not finished when this was written
  number       INTEGER PRIMARY KEY AUTOINCREMENT,  -- in the order of arrival
  trigger_name TEXT NOT NULL,
  message_id   TEXT NOT NULL,      -- what the service sees: the same over all attempts
  topic        TEXT NOT NULL,
  payload      BLOB NOT NULL,
  qos          INTEGER NOT NULL,
  retained     INTEGER NOT NULL,
  packet_id    INTEGER NOT NULL,   -- of the PUBLISH, by which the server sends it again
  attempts     INTEGER NOT NULL,
  received_ms  INTEGER NOT NULL
) STRICT;
CREATE INDEX message_by_trigger ON message (trigger_name, number);
CREATE TABLE staged (              -- QoS 2 messages between PUBREC and PUBREL
  client_id    TEXT NOT NULL,
  key          TEXT NOT NULL,      -- of the MQTT library: "r-ID" on 3.1.1, "r5-ID" on 5
  message_id   TEXT NOT NULL,
  packet       BLOB NOT NULL,      -- the PUBLISH as it came
  PRIMARY KEY (client_id, key)
) STRICT, WITHOUT ROWID;
CREATE TABLE trigger_state (       -- triggers that somebody or something has stopped
  trigger_name TEXT PRIMARY KEY,
  state        TEXT NOT NULL,      -- "disabled" or "suspended"
  changed_by   TEXT NOT NULL,
  reason       TEXT NOT NULL,
  since_ms     INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
-- MQTT 5: the properties as they were on the wire; NULL where the message came over 3.1.1
ALTER TABLE message ADD COLUMN properties BLOB;
ALTER TABLE message ADD COLUMN expires_ms INTEGER;  -- message expiry; NULL: never
ALTER TABLE dead_letter ADD COLUMN properties BLOB;
-- Who keeps a session, so that it can be named when nobody in the configuration knows it any more
ALTER TABLE session ADD COLUMN alias TEXT NOT NULL DEFAULT '';
ALTER TABLE session ADD COLUMN server TEXT NOT NULL DEFAULT '';  -- its address; '' where not known
-- Lists are read from indexes that have all they show but the payload: what stands behind a payload
-- in its row is reached through all of it.
DROP INDEX dead_letter_by_trigger;
CREATE INDEX dead_letter_by_trigger ON dead_letter (trigger_name, number, died_ms);
CREATE INDEX dead_letter_listed ON dead_letter (number, died_ms, trigger_name, message_id, topic, qos,
  retained, reason, attempts, received_ms, properties);
-- Those whose times follow the clock when it is set.
CREATE INDEX message_expiring ON message (number) WHERE expires_ms IS NOT NULL;
PRAGMA user_version = 5;
)sql";

// Makes the file, with what `sql` puts into it. False: SQLite says no.
[[nodiscard]] inline bool make_inbox_of_version_5(const std::filesystem::path& file,
                                                  const std::string& sql) {
  const SqliteConnection connection(file.string());
  return connection.run("PRAGMA journal_mode = WAL") == SQLITE_OK &&
         connection.run(std::string("BEGIN;") + kInboxVersion5 + sql + ";COMMIT") == SQLITE_OK;
}

}  // namespace triggerd::test
