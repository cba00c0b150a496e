// Puts a batch on the disk, one portion a transaction.
//
// Threads: the writer's, except the constructor and the destructor. It takes the inbox's lock
// itself, except where it says that this is held.
#pragma once

#include <chrono>
#include <cstddef>
#include <functional>
#include <memory>
#include <string>

#include "base/clock.hpp"
#include "base/mutex.hpp"
#include "base/result.hpp"
#include "inbox/batch.hpp"
#include "inbox/database.hpp"
#include "inbox/room.hpp"
#include "inbox/write_trouble.hpp"

namespace triggerd::inbox {

class InboxFile;

class BatchWriter {
 public:
  // Called with what was missing of the files once they have been written again. [the writer's
  // thread, with the inbox's lock held]
  using Mended = std::function<void(const std::string& what)>;

  // All outlive it.
  BatchWriter(InboxFile& file, Room& room, Transaction::Sync sync, Mended mended,
              const Clock& clock);
  ~BatchWriter();
  BatchWriter(const BatchWriter&) = delete;
  BatchWriter& operator=(const BatchWriter&) = delete;

  // Sees to it that the files are at their names, that times of rows are true, and to the room.
  // [with the inbox's lock held]
  WriteTrouble prepare() TRIGGERD_NO_ANALYSIS;

  struct Outcome {
    WriteTrouble trouble{};    // if there is one, nothing was written
    std::size_t written = 0;   // messages, outgoing ones too
    std::size_t finished = 0;  // messages that needed no row
    bool has_row = false;      // the transaction wrote a message, or a packet id
    std::chrono::nanoseconds took{0};
  };
  // Writes what fits of it, lets its acknowledgements leave, and drops it from the batch.
  // `measure`: others may have made room since that was last measured.
  Outcome write_portion(Batch& batch, bool measure);

 private:
  struct Statements;
  // These have the inbox's lock.
  WriteTrouble try_portion(Batch& batch, Portion& portion, bool measure) TRIGGERD_NO_ANALYSIS;
  Result<> transact(Portion& portion) TRIGGERD_NO_ANALYSIS;
  Result<> write_notes(const Portion& portion) TRIGGERD_NO_ANALYSIS;
  Result<> write_operations(Portion& portion) TRIGGERD_NO_ANALYSIS;
  Result<> write_operation(const Operation& operation, Portion::Row* row) TRIGGERD_NO_ANALYSIS;
  Result<> write_message(const Accept& accept, Portion::Row& row) TRIGGERD_NO_ANALYSIS;
  Result<> write_outgoing(const Keep& keep, Portion::Row& row) TRIGGERD_NO_ANALYSIS;
  Result<> release_outgoing(const ReleaseOutgoing& release) TRIGGERD_NO_ANALYSIS;
  Result<> write_key(const HandledKey& key) TRIGGERD_NO_ANALYSIS;

  InboxFile& file_;
  Room& room_;
  const Transaction::Sync sync_;
  const Mended mended_;
  const Clock& clock_;
  Monotonic clock_again_at_{};              // before which rows are not made to follow the clock
  std::unique_ptr<Statements> statements_;  // made again after an error
};

}  // namespace triggerd::inbox
