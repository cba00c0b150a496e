#include "inbox/schema.hpp"

#include <array>

#include "inbox/database.hpp"

namespace triggerd::inbox {
namespace {

// Step N brings version N to N + 1. A step that was released never changes; a change is a new step.
constexpr std::array<const char*, 8> kSteps{R"sql(
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
)sql",
                                            R"sql(
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
)sql",
                                            R"sql(
-- MQTT 5: the properties as they were on the wire; NULL where the message came over 3.1.1
ALTER TABLE message ADD COLUMN properties BLOB;
ALTER TABLE message ADD COLUMN expires_ms INTEGER;  -- message expiry; NULL: never
ALTER TABLE dead_letter ADD COLUMN properties BLOB;
)sql",
                                            R"sql(
-- Who keeps a session, so that it can be named when nobody in the configuration knows it any more
ALTER TABLE session ADD COLUMN alias TEXT NOT NULL DEFAULT '';
ALTER TABLE session ADD COLUMN server TEXT NOT NULL DEFAULT '';  -- its address; '' where not known
)sql",
                                            R"sql(
-- Lists are read from indexes that have all they show but the payload: what stands behind a payload
-- in its row is reached through all of it.
DROP INDEX dead_letter_by_trigger;
CREATE INDEX dead_letter_by_trigger ON dead_letter (trigger_name, number, died_ms);
CREATE INDEX dead_letter_listed ON dead_letter (number, died_ms, trigger_name, message_id, topic, qos,
  retained, reason, attempts, received_ms, properties);
-- Those whose times follow the clock when it is set.
CREATE INDEX message_expiring ON message (number) WHERE expires_ms IS NOT NULL;
)sql",
                                            R"sql(
-- Both versions of MQTT alike: a QoS 2 message is accepted with its PUBLISH, and its packet id is
-- kept until PUBREL. What `staged` has of 3.1.1 is a message each; it becomes one when its trigger
-- is made (PacketIds::accept_staged), and nothing is added to that table any more.
CREATE TABLE awaiting_pubrel (     -- packet ids of QoS 2 messages that the server may send again
  client_id    TEXT NOT NULL,
  packet_id    INTEGER NOT NULL,
  message_id   TEXT NOT NULL,
  PRIMARY KEY (client_id, packet_id)
) STRICT, WITHOUT ROWID;
INSERT INTO awaiting_pubrel SELECT client_id, CAST(substr(key, 4) AS INTEGER), message_id
  FROM staged WHERE substr(key, 1, 3) = 'r5-';
DELETE FROM staged WHERE substr(key, 1, 3) = 'r5-';
)sql",
                                            R"sql(
CREATE TABLE key_list (            -- triggers that handle each message once, by a key of it
  list         INTEGER PRIMARY KEY AUTOINCREMENT,
  trigger_name TEXT NOT NULL UNIQUE,
  shifted_ms   INTEGER NOT NULL DEFAULT 0  -- to be added to handled_ms: the clock was set by this
) STRICT;
CREATE TABLE handled_key (         -- of messages that were handled
  list         INTEGER NOT NULL,
  number       INTEGER NOT NULL,   -- in the order of handling
  key          BLOB NOT NULL,      -- the first 16 bytes of a SHA-256
  handled_ms   INTEGER NOT NULL,
  PRIMARY KEY (list, number)
) STRICT, WITHOUT ROWID;
)sql",
                                            R"sql(
CREATE TABLE outgoing (            -- to be published, until their servers have them
  number       INTEGER PRIMARY KEY AUTOINCREMENT,  -- in the order of publishing
  alias        TEXT NOT NULL,
  packet_id    INTEGER NOT NULL,   -- under which it is sent
  topic        TEXT NOT NULL,
  payload      BLOB NOT NULL,
  qos          INTEGER NOT NULL,
  retained     INTEGER NOT NULL,
  properties   BLOB,               -- of MQTT 5, as they are on the wire; NULL: none
  kept_ms      INTEGER NOT NULL,
  expires_ms   INTEGER             -- message expiry; NULL: never
) STRICT;
CREATE INDEX outgoing_by_alias ON outgoing (alias, number);
CREATE INDEX outgoing_expiring ON outgoing (alias, expires_ms) WHERE expires_ms IS NOT NULL;
CREATE TABLE awaiting_pubcomp (    -- packet ids of QoS 2 messages that the server has
  client_id    TEXT NOT NULL,
  packet_id    INTEGER NOT NULL,
  PRIMARY KEY (client_id, packet_id)
) STRICT, WITHOUT ROWID;
)sql"};

}  // namespace

Result<> migrate(Database& database) {
  std::int64_t version = -1;
  {
    Statement query(database, "PRAGMA user_version");
    if (query.step()) version = query.number(0);
    if (auto read = query.finish("read"); !read) return read;
  }
  if (version > static_cast<std::int64_t>(kSteps.size())) {
    return fail(
        "inbox.db has schema version {}, this runtime knows {} and older; run the newer triggerd "
        "that made it, or give this one another state_dir",
        version, kSteps.size());
  }
  if (version == static_cast<std::int64_t>(kSteps.size())) return {};  // and nothing is written
  auto transaction = Transaction::begin(database, Transaction::Sync::disk);
  if (!transaction) return tl::make_unexpected(transaction.error());
  for (auto step = static_cast<std::size_t>(version); step < kSteps.size(); ++step) {
    if (auto done = database.execute(kSteps[step]); !done) return done;
  }
  if (auto set = database.execute(fmt::format("PRAGMA user_version = {}", kSteps.size())); !set) {
    return set;
  }
  return transaction->commit();
}

}  // namespace triggerd::inbox
