// What was handed to a worker process ahead of its turn, so that the process has its next message
// when it is done with this one: attempts that begin one behind another, each once the one before
// it has ended with TRIGGER_OK.
#pragma once

#include <trigger/plugin.h>

#include <deque>

#include "dispatch/attempt_table.hpp"
#include "dispatch/lane_queue.hpp"

namespace triggerd::dispatch {

// Guarded by its dispatcher's lock.
class Prefetch {
 public:
  // Both outlive it.
  Prefetch(AttemptTable& attempts, LaneQueue& lanes) : attempts_(attempts), lanes_(lanes) {}

  bool empty() const { return ahead_.empty(); }
  // Hands over the message that goes behind `begun`, which is in the worker's hands, and behind
  // those that were handed over already. Null if there is none that may go blindly.
  const trigger_message* hand_over(const Attempt& begun);
  // The attempt before it ended with TRIGGER_OK, so the worker has gone on with this one. Not if
  // empty().
  const Attempt& begin_next(Monotonic now);
  // The attempt before them ended otherwise, so the worker has dropped all of them: they go back to
  // their lanes, in their order.
  void take_back();

 private:
  AttemptTable& attempts_;
  LaneQueue& lanes_;
  std::deque<Attempt*> ahead_;
};

}  // namespace triggerd::dispatch
