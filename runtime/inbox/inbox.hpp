// inbox/: what the runtime remembers across restarts, in one SQLite file: STATE_DIR/inbox.db.
// docs/reference/inbox-format.md describes it.
//
//   inbox.hpp            opens the file, and has what is kept in it, table by table:
//   messages.hpp           accepted messages that are not finished
//   packet_ids.hpp         QoS 2 messages between PUBREC and PUBREL
//   outgoing.hpp           messages that are to be published, and what servers have of them
//   dead_letters.hpp       messages that are not tried again by themselves
//   handled_keys.hpp       keys of messages that were handled (key_list.hpp: in memory)
//   trigger_records.hpp    states of triggers, and which retained messages they have handled
//   sessions.hpp           client ids, and the sessions that servers keep
//   figures.hpp            how much of it there is
//   records.hpp          all of these as values
//   writer.hpp           writes accepted messages in batches, on a thread of its own:
//   operations.hpp         what it is asked to do, and the queue of it
//   write_schedule.hpp     when it does that
//   batch.hpp              a batch, and the portions of it that fit
//   batch_writer.hpp       writes these, one transaction each
//   room.hpp               the room that files and volume have (room_budget.hpp: what follows from
//                          it, in numbers; volume.hpp: the volume, and a reserve)
//   inbox_file.hpp       the open file with its lock: kept at its name (folder.hpp), its times kept
//                        true (row_clock.hpp), read without waiting (reader.hpp)
//   message_rows.hpp     the columns of a message; outgoing_rows.hpp: of an outgoing one
//   schema.hpp           the tables, their version and its migrations
//   database.hpp         SQLite behind RAII: open, statement, transaction
#pragma once

#include <filesystem>
#include <functional>
#include <memory>
#include <string>

#include "base/clock.hpp"
#include "base/result.hpp"
#include "inbox/dead_letters.hpp"
#include "inbox/handled_keys.hpp"
#include "inbox/messages.hpp"
#include "inbox/outgoing.hpp"
#include "inbox/packet_ids.hpp"
#include "inbox/records.hpp"
#include "inbox/sessions.hpp"
#include "inbox/trigger_records.hpp"

namespace triggerd::inbox {

class InboxFile;

// The inbox, opened. It has no lock: the tables share that of the file. Each of their calls that
// writes is one transaction. When it returns, that has reached the operating system, or the disk if
// the call says so.
//
// Threads: any.
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

  Messages& messages() { return messages_; }
  PacketIds& packet_ids() { return packet_ids_; }
  Outgoing& outgoing() { return outgoing_; }
  DeadLetters& dead_letters() { return dead_letters_; }
  HandledKeys& handled_keys() { return handled_keys_; }
  TriggerRecords& triggers() { return triggers_; }
  Sessions& sessions() { return sessions_; }
  // Counts every row, which takes time. Nobody who writes waits for it.
  Result<Figures> figures();

  // For the writer.
  InboxFile& file() { return *file_; }

 private:
  explicit Inbox(std::unique_ptr<InboxFile> file);
  static Result<std::unique_ptr<Inbox>> open_whole(const std::filesystem::path& file,
                                                   const OpenOptions& options, bool& damaged);

  const std::unique_ptr<InboxFile> file_;
  Messages messages_;
  PacketIds packet_ids_;
  Outgoing outgoing_;
  DeadLetters dead_letters_;
  HandledKeys handled_keys_;
  TriggerRecords triggers_;
  Sessions sessions_;
};

}  // namespace triggerd::inbox
