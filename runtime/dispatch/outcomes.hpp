// What the end of an attempt leads to: its message is finished, a dead letter, discarded or
// expired, or it goes again, at once or after a backoff; and what that says about the service as a
// whole: what it needs is away, or back, or its trigger is suspended.
#pragma once

#include <cstddef>
#include <string>

#include "base/backoff.hpp"
#include "base/clock.hpp"
#include "base/histogram.hpp"
#include "dispatch/admission.hpp"
#include "dispatch/attempt_table.hpp"
#include "dispatch/deduplicator.hpp"
#include "dispatch/dispatch_report.hpp"
#include "dispatch/dispatcher_options.hpp"
#include "dispatch/lane_queue.hpp"
#include "dispatch/pace.hpp"
#include "dispatch/retry_queue.hpp"
#include "plugin/work.hpp"

namespace triggerd::dispatch {

// Guarded by its dispatcher's lock, except what is marked [any].
class Outcomes {
 public:
  // All outlive it.
  struct Parts {
    const DispatcherOptions& options;
    const Clock& clock;
    const Random& random;
    LaneQueue& lanes;
    AttemptTable& attempts;
    RetryQueue& retries;
    Deduplicator& deduplicator;
    Admission& admission;
    Pace& pace;
    DispatcherStats& counts;
  };
  explicit Outcomes(const Parts& parts);

  // The service's verdict, within the deadline.
  void settle(Attempt& attempt, plugin::Answer answer, DispatchReport& report);
  // The deadline has passed while handle() runs: the message waits for its return.
  void overrun(Attempt& attempt, DispatchReport& report);
  // An overrunning attempt has returned, or its worker is gone: nobody uses its memory any more.
  void time_out(Attempt& attempt, DispatchReport& report);
  // The deadline has passed, and the service may read the message until it calls complete().
  void expire_pending(Attempt& attempt, DispatchReport& report);
  // Nobody reads the message of an expired pending attempt any more.
  void forget_expired(Attempt& attempt);
  // The instance was stopped before the service completed the message: the attempt does not count.
  void revoke(Attempt& attempt, DispatchReport& report);
  // A worker process is gone with all that it had; `hung`: it was ended over a call that did not
  // return.
  void lose_worker(const plugin::WorkSource::Loss& loss, bool hung, DispatchReport& report);

  // A message that no service sees: it has ended the runtime too often.
  void condemn(DeliveryPtr delivery, DispatchReport& report);
  // A message that no service sees: it is past its expiry.
  void expire(DeliveryPtr delivery, DispatchReport& report);
  // A message that no service sees: one with its key was handled.
  void end_duplicate(DeliveryPtr delivery, DispatchReport& report);
  // A message of the retry queue is due.
  void go_again(DeliveryPtr delivery, DispatchReport& report);

  // A dead letter of a report is written, or waits in the retry queue until `again`.
  void dead_letter_written(const DeliveryPtr& delivery);
  void dead_letter_waits(DeliveryPtr delivery, std::string reason, Monotonic again);
  // Dead letters that were given to reports, and are neither written nor waiting.
  std::size_t dead_letters_under_way() const { return dead_letters_under_way_; }

  // Seconds from a call of the service to its verdict, and from the socket to the last one. [any]
  const Histogram& handle_times() const { return handle_times_; }
  const Histogram& delivery_times() const { return delivery_times_; }

 private:
  void finish(DeliveryPtr delivery, bool tested, bool was_suspect, DispatchReport& report);
  bool let_others_go(Delivery& delivery);
  void try_another(DispatchReport& report);
  void give_back_turn(const Attempt& attempt, DispatchReport& report);
  void filter(DeliveryPtr delivery, bool was_suspect, DispatchReport& report);
  void reject(DeliveryPtr delivery, DispatchReport& report);
  void put_off(DeliveryPtr delivery, bool tested, Millis retry_after, DispatchReport& report);
  void retry_or_exhaust(DeliveryPtr delivery, Millis retry_after, DispatchReport& report);
  void exhaust(DeliveryPtr delivery, DispatchReport& report);
  void fail_half_open(DeliveryPtr delivery, DispatchReport& report);
  void give_back(Attempt& attempt, DispatchReport& report);
  void end_half_open(bool handled, DispatchReport& report);
  void test_again(Attempt& attempt);
  void begin_outage(bool tested, const std::string& reason, Millis retry_after,
                    DispatchReport& report);
  void end_outage(DispatchReport& report);
  void make_dead_letter(DeliveryPtr delivery, std::string reason, DispatchReport& report);
  void note_stall(DispatchReport& report);

  const DispatcherOptions& options_;
  const Clock& clock_;
  const Random& random_;
  LaneQueue& lanes_;
  AttemptTable& attempts_;
  RetryQueue& retries_;
  Deduplicator& deduplicator_;
  Admission& admission_;
  Pace& pace_;
  DispatcherStats& counts_;
  std::size_t dead_letters_under_way_ = 0;
  bool stall_told_ = false;
  Histogram handle_times_;
  Histogram delivery_times_;
};

}  // namespace triggerd::dispatch
