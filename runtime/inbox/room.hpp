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
  // Takes the reserve again if it was given up, and truncates a WAL that a reader has held. Before
  // each transaction, and now and then.
  void prepare();
  void measure() TRIGGERD_NO_ANALYSIS;
  // What was to be done is done; false: it needed no transaction.
  void after_transaction(bool has_written);
  // A transaction has found the volume full: the reserve is given up for a checkpoint, so that the
  // WAL can be used again.
  void make_room();
  // Files that have gone could not be written again for want of room: the caller tries again.
  void give_up_reserve();
  // Nothing of a batch fits: gives back to the volume what can be, for the next try.
  void give_back();

  // Whether receiving is to pause, by the last measure(). Makes room if it can: while receiving
  // pauses, there may be nothing to be written that would have it made.
  WriteTrouble find_trouble();
  // Why nothing of a batch fits.
  WriteTrouble why_nothing_fits() const { return trouble_of(budget_.why_not()); }
  const RoomBudget& budget() const { return budget_; }
  // See RoomBudget. [any, without a lock]
  std::uint64_t limit() const { return limit_; }

 private:
  void checkpoint() TRIGGERD_NO_ANALYSIS;
  // If the file is mostly free, that is given back to the volume.
  void shrink_file() TRIGGERD_NO_ANALYSIS;
  void trim_wal(std::uint64_t allowed);
  WriteTrouble trouble_of(RoomBudget::Shortage shortage) const;

  InboxFile& file_;
  const Clock& clock_;
  const Volume volume_;
  RoomBudget budget_;
  Monotonic trim_at_{};    // before which a checkpoint that came to nothing is not tried again
  Monotonic shrink_at_{};  // the same, of a smaller file
  std::atomic<std::uint64_t> limit_;
};

}  // namespace triggerd::inbox
