// All that a dispatcher knows about its messages and its service, and decides about them: a state
// machine without threads, composed of parts. Messages wait for their delay, in lanes and in the
// retry queue; admission and pace say whether one may go; the table holds the attempts; outcomes
// say what the end of one leads to.
#pragma once

#include <trigger/plugin.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "dispatch/admission.hpp"
#include "dispatch/attempt_table.hpp"
#include "dispatch/deduplicator.hpp"
#include "dispatch/delay_queue.hpp"
#include "dispatch/dispatch_report.hpp"
#include "dispatch/dispatcher_options.hpp"
#include "dispatch/lane_queue.hpp"
#include "dispatch/outcomes.hpp"
#include "dispatch/pace.hpp"
#include "dispatch/prefetch.hpp"
#include "dispatch/retry_queue.hpp"
#include "plugin/work.hpp"

namespace triggerd::dispatch {

// Guarded by its dispatcher's lock, except what is marked [any]. A function with a report may ask
// in it for a wake-up or for the timer.
class DispatchState {
 public:
  // Consecutive messages of the same lane.
  struct Run {
    std::optional<std::string> key;
    DeliveryQueue deliveries{};
    std::size_t count = 0;
  };

  // All outlive it.
  DispatchState(const DispatcherOptions& options, const Clock& clock, const Random& random);

  // ---- In and out ----

  // `at_once`: the trigger's delay is over for them.
  void accept(std::vector<Run> runs, std::size_t count,
              const std::array<std::uint64_t, 3>& count_by_qos, bool at_once,
              DispatchReport& report);
  // Whether a message may be handed out, and there is one and a place for it.
  bool may_take() const { return !pace_.closed() && has_next(); }
  // If may_take(): the most calls that the waiting messages can occupy.
  std::size_t calls_that_may_begin() const;
  // The next attempt; null if none may begin. Messages that no service may see end here.
  const trigger_message* begin_next(DispatchReport& report);
  // A message that follows the one that is being handled, for a worker process; `ahead` at most.
  const trigger_message* hand_ahead(std::size_t ahead);
  // The keys of what was handled before; without them nothing is told apart.
  void set_keys(std::shared_ptr<inbox::KeyList> keys) { deduplicator_.set_keys(std::move(keys)); }
  bool was_handled(const inbox::MessageKey& key) const {
    return deduplicator_.was_handled(key, clock_.now());
  }
  // The most messages of one call.
  void set_max_batch(std::size_t messages);
  std::size_t max_batch() const { return max_batch_; }

  // ---- And back ----

  // What handle() said about a message. False: that attempt is over.
  bool take_answer(const trigger_message& message, plugin::Answer answer, DispatchReport& report);
  // See InstanceHost. `changed`: an attempt has ended.
  struct Completion {
    std::int32_t code = TRIGGER_E_STALE;
    bool changed = false;
  };
  Completion complete(std::uint64_t token, plugin::Answer answer, DispatchReport& report);
  // The new deadline; nullopt: that attempt is over.
  std::optional<Monotonic> extend(std::uint64_t token, std::uint32_t ms);
  // Does what is due by `now`. True: a call has not returned in time, and the link has to know.
  bool pass_time(Monotonic now, DispatchReport& report);
  // Notes whether max_rate keeps a message waiting; at the end of every hold that may change it.
  void note_pace(DispatchReport& report) {
    if (pace_.limited()) pace_.note_waiting(pace_.closed() && has_next(), report.time(clock_));
  }
  // The worker process is gone with all that it had.
  void lose_worker(const plugin::WorkSource::Loss& loss, DispatchReport& report);

  // ---- The end of a trigger, or of its service ----

  void end_expired_pending();
  void revoke_pending(DispatchReport& report);
  // Has what waits for a retry go at once; only the first time until resume().
  void begin_draining();
  bool nothing_left_before(Monotonic deadline) const;
  std::vector<DeliveryPtr> take_unfinished();

  // ---- What there is ----

  Admission& admission() { return admission_; }
  const Admission& admission() const { return admission_; }
  const AttemptTable& attempts() const { return attempts_; }
  Outcomes& outcomes() { return outcomes_; }
  const Outcomes& outcomes() const { return outcomes_; }
  DispatcherStats& counts() { return counts_; }
  DispatcherStats stats() const;
  std::size_t waiting() const { return lanes_.size(); }  // for a worker
  std::size_t unfinished() const;
  void for_each_unfinished(const std::function<void(const DeliveryPtr&)>& visit) const;

 private:
  // may_take(), but for the rate.
  bool has_next() const;
  bool release_delayed(Monotonic now);
  bool stalled() const { return attempts_.expired_pending() >= options_.queue_capacity; }
  // Whether the message that was handed out last has to be alone.
  bool suspect_is_out() const;
  // Whether it may go, as far as others with its key are concerned; else it is taken care of.
  bool is_alone_with_key(DeliveryPtr& delivery, DispatchReport& report);
  const trigger_message* begin_attempt(DeliveryPtr delivery, DispatchReport& report);
  void lose_probe(const plugin::WorkSource::Loss& loss, DispatchReport& report);

  const DispatcherOptions& options_;
  const Clock& clock_;
  LaneQueue lanes_;
  AttemptTable attempts_;
  DelayQueue delays_;
  RetryQueue retries_;
  Deduplicator deduplicator_;
  Pace pace_;
  Admission admission_;
  DispatcherStats counts_;
  Outcomes outcomes_;
  Prefetch prefetch_;
  std::size_t max_batch_ = 1;
  std::size_t places_;  // how many attempts may be under way
};

}  // namespace triggerd::dispatch
