// The room that the inbox's files have, and that their volume has for them: measured, decided upon
// (room_budget.hpp), and made by checkpoints, by giving up the reserve, and by a smaller file.
//
// Threads: the writer's, with the inbox's lock held, but for what says otherwise.
#pragma once

#include <atomic>
#include <cstdint>

#include "base/clock.hpp"
#include "base/mutex.hpp"
#include "inbox/room_budget.hpp"
#include "inbox/volume.hpp"
#include "inbox/write_trouble.hpp"

namespace triggerd::inbox {

class InboxFile;

class Room {
 public:
  // Both outlive it. begin() comes first.
  Room(InboxFile& file, std::uint64_t max_size, const Clock& clock);

  // The connection was just opened.
  void begin() TRIGGERD_NO_ANALYSIS;
  // Takes the reserve again if it was given up, and the WAL back from a reader that has ended, as
  // far as that can be done. Before each transaction, and now and then.
  void prepare();
  void measure() TRIGGERD_NO_ANALYSIS;
  // A transaction is over; one that changed nothing cost no room.
  void after_transaction(bool has_written);
  // A transaction has found the volume full: the reserve is given up for a checkpoint, so that the
  // WAL can be used again.
  void make_room();
  // Something else has found it full, which is tried again.
  void give_up_reserve();
  // If the file is mostly free, and little is left beside it, that is given back to the volume.
  void shrink_file() TRIGGERD_NO_ANALYSIS;

  // As of the last measure(). Whether receiving is to pause. Makes room if it can: while receiving
  // pauses, there may be nothing to be written that would have it made.
  WriteTrouble find_trouble();
  // Why nothing of a batch fits.
  WriteTrouble why_nothing_fits() const { return trouble_of(budget_.why_not()); }
  const RoomBudget& budget() const { return budget_; }
  // See RoomBudget. [any, without a lock]
  std::uint64_t limit() const { return limit_; }

 private:
  void checkpoint() TRIGGERD_NO_ANALYSIS;
  void trim_wal(std::uint64_t allowed);
  WriteTrouble trouble_of(RoomBudget::Shortage shortage) const;

  InboxFile& file_;
  const Clock& clock_;
  const Volume volume_;
  RoomBudget budget_;
  Monotonic trim_at_{};  // before which a checkpoint that came to nothing is not tried again
  std::atomic<std::uint64_t> limit_;
};

}  // namespace triggerd::inbox
