// inbox/: what the runtime remembers across restarts, in one SQLite file: STATE_DIR/inbox.db.
//
//   inbox.hpp     what is kept, as plain calls (keep_files.cpp: its files are taken away while it
//                 runs, and the clock is set; messages.cpp, figures.cpp: what its readers ask for)
//   folder.hpp    the folder that it is in
//   writer.hpp    accepted messages, written in batches on a thread of its own (writer_batch.cpp:
//                 one batch, and the room for it)
//   room.hpp      what the volume has for it, and a reserve
//   database.hpp  SQLite behind RAII: open, statement, transaction
//   schema.hpp    the tables, their version and its migrations
//
// Kept are accepted messages that are not finished, QoS 2 messages between PUBREC and PUBREL, dead
// letters, the states of triggers, generated client ids, the subscriptions last made for each
// client id, and which retained messages a trigger has handled. The file's format:
// docs/reference/inbox-format.md.
//
// Threads: any; calls are serialised inside, and each that writes is one transaction that has
// reached the operating system when it returns, and the disk where it says so.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/clock.hpp"
#include "base/file.hpp"
#include "base/mutex.hpp"
#include "base/result.hpp"

namespace triggerd::inbox {

class Database;

// A message that nobody will try again by itself, and why.
struct DeadLetter {
  std::int64_t number = 0;  // given by add()
  std::string message_id;
  std::string trigger;
  std::string topic;
  std::string payload;  // or its beginning, where no more was asked for
  int qos = 0;
  bool retained = false;
  std::string reason;
  std::uint32_t attempts = 0;
  Wall received{};
  Wall died{};
  std::optional<std::string> properties{};  // as of a StoredMessage
  std::uint64_t payload_size = 0;           // of all of it, where it was read
};

// An accepted message that was not finished when the process before this one ended.
struct StoredMessage {
  std::int64_t number = 0;  // in the order of arrival
  std::string message_id;
  std::string trigger;
  std::string topic;
  std::string payload;
  int qos = 0;
  bool retained = false;
  std::uint16_t packet_id = 0;
  std::uint32_t attempts = 0;
  Wall received{};
  // Of MQTT 5, as they were on the wire; nullopt: it came over 3.1.1.
  std::optional<std::string> properties{};
  std::optional<Monotonic> expires{};
};

// A QoS 2 message of MQTT 3.1.1 that an older version has kept between PUBREC and PUBREL.
struct StagedMessage {
  std::string key;  // "r-ID", with the packet id
  std::string message_id;
  std::string packet;  // the PUBLISH, header included
};

// A QoS 2 message that was accepted and whose PUBREL has not come.
struct AwaitingPubrel {
  std::uint16_t packet_id = 0;
  std::string message_id;
};

// A persistent session that a server keeps for us.
struct Session {
  std::string client_id;
  std::string alias;   // that it was last made with
  std::string server;  // that has it, as addresses are shown; both empty: an older version made it
};

struct TriggerState {
  enum class State { disabled, suspended };
  State state = State::disabled;
  std::string changed_by;
  std::string reason;
  Wall since{};
};

// Which dead letters are meant.
struct DeadLetterSelection {
  std::string trigger;             // empty: of all
  std::optional<Wall> since{};     // died then or later
  std::optional<Wall> until{};     // died before
  std::int64_t up_to = INT64_MAX;  // with this number or a lower one
};

struct Figures {
  struct OfTrigger {
    std::uint64_t messages = 0;  // accepted, and not finished
    std::optional<Wall> oldest;  // of them
    std::uint64_t dead_letters = 0;
  };
  std::map<std::string, OfTrigger, std::less<>> triggers;
  std::uint64_t bytes = 0;  // of the file and its WAL
};

class Inbox {
 public:
  struct OpenOptions {
    std::string vfs;  // of SQLite; empty: the system's files
    // Told where a damaged file was set aside, and why. Without it such a file is an error.
    std::function<void(const std::filesystem::path& aside, const std::string& why)> set_aside;
    const Clock* clock = &system_clock();
  };
  // Opens or creates the file. An error names the file and what to do.
  static Result<std::unique_ptr<Inbox>> open(const std::filesystem::path& file,
                                             const OpenOptions& options);
  static Result<std::unique_ptr<Inbox>> open(const std::filesystem::path& file) {
    return open(file, OpenOptions());
  }
  ~Inbox();

  // The client id kept for `alias`; where there is none, `candidate` is kept and returned.
  Result<std::string> client_id(std::string_view alias, std::string_view candidate);

  // The filters last subscribed to under `client_id`, in the server's session of it; nullopt where
  // no such session was made. remember_session() replaces them.
  Result<std::optional<std::vector<std::string>>> session(std::string_view client_id);
  Result<> remember_session(std::string_view client_id, const std::vector<std::string>& filters);
  // Notes who has it, where there is such a session; returns what was noted before.
  Result<std::optional<Session>> place_session(const Session& session);
  // The server has it no more: its packet ids go with it.
  Result<> forget_session(std::string_view client_id);
  // All of them, by client id.
  Result<std::vector<Session>> sessions();

  // Messages of `trigger` after number `after`, in the order of arrival, at most `limit`.
  Result<std::vector<StoredMessage>> messages(std::string_view trigger, std::int64_t after,
                                              std::size_t limit);
  // How many there are, by trigger.
  Result<std::vector<std::pair<std::string, std::int64_t>>> message_counts();
  Result<std::vector<AwaitingPubrel>> awaiting_pubrel(std::string_view client_id);
  // What an older version has left, in the order of its arrival; and makes `message` of one, in one
  // transaction, which need not be on disk when this returns: it is there either before or after.
  // Its packet id is kept until PUBREL.
  Result<std::vector<StagedMessage>> staged(std::string_view client_id);
  Result<> accept_staged(std::string_view client_id, const StagedMessage& staged,
                         const StoredMessage& message);

  // Adds it and removes the message `number`, in one transaction that is on disk when this returns;
  // `row` is asked for the number inside of it, where no message is being written.
  Result<std::int64_t> add_dead_letter(
      const DeadLetter& letter, const std::function<std::optional<std::int64_t>()>& row = {});

  // These read through connections of their own: nobody who writes waits for them. Of payloads only
  // the first `payload_bytes` are read.

  // By the page: the first `limit` with a number above `beyond` (oldest first) or below it.
  Result<std::vector<DeadLetter>> dead_letters(const DeadLetterSelection& selection,
                                               std::int64_t beyond, bool oldest_first,
                                               std::size_t limit,
                                               std::size_t payload_bytes = SIZE_MAX);
  // The newest ones, newest first; of one trigger where `trigger` is not empty.
  Result<std::vector<DeadLetter>> dead_letters(const std::string& trigger, std::size_t limit) {
    return dead_letters({.trigger = trigger}, INT64_MAX, false, limit);
  }
  Result<std::uint64_t> count_dead_letters(const DeadLetterSelection& selection);
  Result<std::optional<DeadLetter>> dead_letter(std::int64_t number,
                                                std::size_t payload_bytes = SIZE_MAX);
  // Counts every row.
  Result<Figures> figures();

  // Gives it another topic and payload.
  Result<> edit_dead_letter(std::int64_t number, std::string_view topic, std::string_view payload);
  Result<> drop_dead_letter(std::int64_t number);
  // Makes it a message of its trigger again, with the same message id and its attempts counted
  // anew; it does not expire again. nullopt where there is no such dead letter.
  Result<std::optional<StoredMessage>> replay_dead_letter(std::int64_t number);

  // nullopt: neither disabled nor suspended.
  Result<std::optional<TriggerState>> trigger_state(std::string_view trigger);
  Result<> set_trigger_state(std::string_view trigger, const std::optional<TriggerState>& state);

  // Topic and digest of the retained messages that `trigger` has handled.
  Result<std::vector<std::pair<std::string, std::string>>> handled_retained(
      std::string_view trigger);

 private:
  friend class Writer;
  // A connection that only reads, made when it is needed.
  struct Reader {
    Mutex mutex;
    std::unique_ptr<Database> database TRIGGERD_GUARDED_BY(mutex);
    // The open file. Another one at its name would be read with the WAL of this one.
    std::optional<FileIdentity> file TRIGGERD_GUARDED_BY(mutex);
  };

  Inbox(std::unique_ptr<Database> database, std::filesystem::path file, const OpenOptions& options);
  static Result<std::unique_ptr<Inbox>> open_whole(const std::filesystem::path& file,
                                                   const OpenOptions& options, bool& damaged);
  std::filesystem::path folder() const;
  Result<Database*> open_reader(Reader& reader) TRIGGERD_REQUIRES(reader.mutex);

  // Whether the open files are those at their names. What is missing there is written again, from
  // what is open: what was missing then, else nothing. [the writer]
  Result<std::string> keep_files() TRIGGERD_REQUIRES(mutex_);
  Result<> write_file_again() TRIGGERD_REQUIRES(mutex_);
  Result<> keep_folder() TRIGGERD_REQUIRES(mutex_);

  // Times of rows are on the wall clock, which may be set. In one process they are told by the
  // monotonic one, from which the wall clock was `wall_ahead_` when it was looked at last; when it
  // is set, the rows follow.
  std::int64_t wall_ahead_now() const;
  std::int64_t row_time(Monotonic time) const TRIGGERD_REQUIRES(mutex_);
  Monotonic time_of_row(std::int64_t ms) const TRIGGERD_REQUIRES(mutex_);
  Result<> follow_clock(bool sync_to_disk) TRIGGERD_REQUIRES(mutex_);  // [the writer]
  Result<> begin_clock() TRIGGERD_REQUIRES(mutex_);

  const std::filesystem::path file_;
  const std::string vfs_;
  const Clock& clock_;
  Mutex mutex_;
  const std::unique_ptr<Database> database_ TRIGGERD_GUARDED_BY(mutex_);
  std::int64_t wall_ahead_ TRIGGERD_GUARDED_BY(mutex_) = 0;  // milliseconds
  struct Folder;
  const std::unique_ptr<Folder> folder_ TRIGGERD_GUARDED_BY(mutex_);
  Reader counting_;
  Reader listing_;
};

}  // namespace triggerd::inbox
