// inbox/: what the runtime remembers across restarts, in one SQLite file: STATE_DIR/inbox.db.
//
//   inbox.hpp     what is kept, as plain calls (keep_files.cpp: when its files are taken away or
//                 the clock is set; messages.cpp, figures.cpp: reading)
//   records.hpp   what it keeps, as values
//   folder.hpp    the folder that it is in
//   writer.hpp    writes accepted messages in batches, on a thread of its own (operations.hpp: the
//                 queue; write_schedule.hpp: when; writer_batch.cpp: one batch, and the room for
//                 it)
//   room.hpp      the space that the volume has, and a reserve
//   database.hpp  SQLite behind RAII: open, statement, transaction
//   schema.hpp    the tables, their version and its migrations
//
// It keeps accepted messages that are not finished, QoS 2 messages between PUBREC and PUBREL, dead
// letters, the states of triggers, generated client ids, the last subscriptions of each client id,
// and which retained messages a trigger has handled. docs/reference/inbox-format.md describes the
// file.
//
// Threads: any; one lock serialises the calls. Each call that writes is one transaction. When it
// returns, that has reached the operating system, or the disk if the call says so.
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
#include "inbox/records.hpp"

namespace triggerd::inbox {

class Database;

class Inbox {
 public:
  struct OpenOptions {
    std::string vfs;  // of SQLite; empty: the system's files
    // Called with the place to which a damaged file was moved, and what is wrong with it. If empty,
    // a damaged file is an error.
    std::function<void(const std::filesystem::path& aside, const std::string& why)> set_aside;
    const Clock* clock = &system_clock();
  };
  // Opens or creates the file. An error names the file and says what to do.
  static Result<std::unique_ptr<Inbox>> open(const std::filesystem::path& file,
                                             const OpenOptions& options);
  static Result<std::unique_ptr<Inbox>> open(const std::filesystem::path& file) {
    return open(file, OpenOptions());
  }
  ~Inbox();

  // The client id that is kept for `alias`; if there is none, keeps and returns `candidate`. On the
  // disk.
  Result<std::string> client_id(std::string_view alias, std::string_view candidate);

  // The filters last subscribed to under `client_id`, in the session that the server has for it;
  // nullopt if no such session was made. remember_session() replaces them.
  Result<std::optional<std::vector<std::string>>> session(std::string_view client_id);
  Result<> remember_session(std::string_view client_id, const std::vector<std::string>& filters);
  // Notes the alias and the server of a session, if there is one with its client id. Returns what
  // was noted before.
  Result<std::optional<Session>> place_session(const Session& session);
  // The server has the session no more, so its packet ids are forgotten too.
  Result<> forget_session(std::string_view client_id);
  // All sessions, ordered by client id.
  Result<std::vector<Session>> sessions();

  // At most `limit` messages of `trigger` with numbers above `after`, in the order of arrival.
  Result<std::vector<StoredMessage>> messages(std::string_view trigger, std::int64_t after,
                                              std::size_t limit);
  // How many messages each trigger has.
  Result<std::vector<std::pair<std::string, std::int64_t>>> message_counts();
  Result<std::vector<AwaitingPubrel>> awaiting_pubrel(std::string_view client_id);
  // What an older version has left, in the order of arrival. accept_staged() replaces one of these
  // by `message` and keeps its packet id until PUBREL, in one transaction. That need not be on the
  // disk when it returns, because one of the two is.
  Result<std::vector<StagedMessage>> staged(std::string_view client_id);
  Result<> accept_staged(std::string_view client_id, const StagedMessage& staged,
                         const StoredMessage& message);

  // Adds a dead letter and removes the message that it was, in one transaction that is on the disk
  // when this returns. `row` returns the number of that message; it is called within the
  // transaction, when no message is being written.
  Result<std::int64_t> add_dead_letter(
      const DeadLetter& letter, const std::function<std::optional<std::int64_t>()>& row = {});

  // These read through connections of their own, so that nobody who writes waits for them. Of a
  // payload only the first `payload_bytes` are read.

  // One page: the first `limit` with a number above `beyond` (oldest first) or below it (newest
  // first).
  Result<std::vector<DeadLetter>> dead_letters(const DeadLetterSelection& selection,
                                               std::int64_t beyond, bool oldest_first,
                                               std::size_t limit,
                                               std::size_t payload_bytes = SIZE_MAX);
  // The newest ones, newest first; of one trigger unless `trigger` is empty.
  Result<std::vector<DeadLetter>> dead_letters(const std::string& trigger, std::size_t limit) {
    return dead_letters({.trigger = trigger}, INT64_MAX, false, limit);
  }
  Result<std::uint64_t> count_dead_letters(const DeadLetterSelection& selection);
  Result<std::optional<DeadLetter>> dead_letter(std::int64_t number,
                                                std::size_t payload_bytes = SIZE_MAX);
  // Counts every row, which takes time.
  Result<Figures> figures();

  // Changes its topic and payload.
  Result<> edit_dead_letter(std::int64_t number, std::string_view topic, std::string_view payload);
  Result<> drop_dead_letter(std::int64_t number);
  // Makes it a message of its trigger again, with the same message id, no attempts and no expiry.
  // nullopt: there is no such dead letter.
  Result<std::optional<StoredMessage>> replay_dead_letter(std::int64_t number);

  // nullopt: neither disabled nor suspended.
  Result<std::optional<TriggerState>> trigger_state(std::string_view trigger);
  Result<> set_trigger_state(std::string_view trigger, const std::optional<TriggerState>& state);

  // Topics and digests of the retained messages that `trigger` has handled.
  Result<std::vector<std::pair<std::string, std::string>>> handled_retained(
      std::string_view trigger);

 private:
  friend class Writer;
  // A connection that only reads, opened when it is needed.
  struct Reader {
    Mutex mutex;
    std::unique_ptr<Database> database TRIGGERD_GUARDED_BY(mutex);
    // The open file. Another file at its name would be read with the WAL of this one.
    std::optional<FileIdentity> file TRIGGERD_GUARDED_BY(mutex);
  };

  Inbox(std::unique_ptr<Database> database, std::filesystem::path file, const OpenOptions& options);
  static Result<std::unique_ptr<Inbox>> open_whole(const std::filesystem::path& file,
                                                   const OpenOptions& options, bool& damaged);
  std::filesystem::path folder() const;
  Result<Database*> open_reader(Reader& reader) TRIGGERD_REQUIRES(reader.mutex);

  // Checks that the open files are those at their names, and writes those that are missing again
  // from the open ones. Returns what was missing; empty: nothing. [the writer]
  Result<std::string> keep_files() TRIGGERD_REQUIRES(mutex_);
  Result<> write_file_again() TRIGGERD_REQUIRES(mutex_);
  Result<> keep_folder() TRIGGERD_REQUIRES(mutex_);

  // Times in rows are wall-clock times, and that clock may be set. While the process runs they are
  // converted to and from monotonic time with `wall_ahead_`, the difference between the clocks when
  // it was last checked. When the clock is set, the rows are changed by as much.
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
