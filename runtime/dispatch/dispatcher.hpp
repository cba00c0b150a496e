// The dispatcher: the heart of a trigger. Messages go in at one end, attempts come out at the
// other, and every message ends in one of six ways: finished, a duplicate of one that was handled,
// a dead letter, discarded because the user chose that, expired because its sender did, or
// unfinished at shutdown.
//
// It puts a lock and threads around DispatchState, which decides everything and has neither: it
// knows whom to wake, what the timer is set to, and who calls a brief service. What is to be
// reported is gathered under the lock, and handed to the DeliverySink without it.
//
// Threads. accept() comes from Paho's receive thread, a batch at a time, and only locks, queues and
// notifies. take() and answered() come from workers, and from the receive thread when that calls a
// brief service itself (inline_calls.hpp); complete() and extend() from any thread of a plugin;
// deadlines and retries from the timer (an EventLoop).
//
// A token names an attempt. An attempt is over when its verdict is in, or when its deadline has
// passed: then it counts as a retry, and a later answer is refused. What an expired pending attempt
// may still read is kept until it is completed; those messages count against the capacity.
#pragma once

#include <trigger/plugin.h>

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "base/event_loop.hpp"
#include "base/histogram.hpp"
#include "base/mutex.hpp"
#include "base/task_guard.hpp"
#include "dispatch/delivery_sink.hpp"
#include "dispatch/dispatch_report.hpp"
#include "dispatch/dispatch_state.hpp"
#include "dispatch/dispatcher_options.hpp"
#include "dispatch/inline_calls.hpp"
#include "dispatch/takers.hpp"
#include "plugin/work.hpp"

namespace triggerd::dispatch {

class Dispatcher final : public plugin::WorkSource {
 public:
  using Stats = DispatcherStats;
  using Times = DispatcherTimes;

  // All outlive the dispatcher. Before it is destroyed `timer` is stopped, or end_tasks() was
  // called and the timer has passed.
  Dispatcher(DispatcherOptions options, DeliverySink& sink, EventLoop& timer, Random random);
  ~Dispatcher() override;

  // Takes them in this order. If the calling thread has a Deferred, it may call the service itself
  // later. [Paho receive thread, supervisor]
  // `at_once`: the trigger's delay is over for them.
  void accept(std::vector<DeliveryPtr> deliveries, bool at_once = false);

  // What take() would return at once; null if it would wait. [worker]
  const trigger_message* try_take();

  // WorkSource [worker]
  const trigger_message* take(std::stop_token stop) override;
  void answered(const trigger_message& message, plugin::Answer answer) override;
  const trigger_message* exchange(const trigger_message& message, plugin::Answer answer,
                                  std::stop_token stop) override;
  void take_more(std::vector<const trigger_message*>& batch) override;
  void batch_answered(std::span<const trigger_message* const> batch,
                      std::vector<plugin::Answer> answers) override;
  void probed(const Result<>& outcome) override;
  // WorkSource: see InlineCalls. Messages go this way only if nothing else of the trigger waits or
  // is in the service's hands, so that order, lanes and concurrency hold, and if none of them has
  // to test the service. Meanwhile no worker takes anything. If that has changed when the thread
  // gets round to the messages, or changes meanwhile, they are left to the workers.
  void set_inline_worker(std::shared_ptr<plugin::InlineWorker> worker) override;
  const trigger_message* take_inline() override;
  void inline_over(std::optional<Monotonic::duration> too_long) override;
  // WorkSource [link of a worker process]
  Taken poll(std::size_t ahead) override;
  void listen(std::function<void()> waker) override;
  bool overrunning() const override;
  void lost(const Loss& loss) override;

  // See InstanceHost. [any]
  std::int32_t complete(std::uint64_t token, plugin::Answer answer);
  std::int32_t extend(std::uint64_t token, std::uint32_t ms);

  // What was handled before, of a trigger that handles each message once. [control, before anything
  // is accepted]
  void set_keys(std::shared_ptr<inbox::KeyList> keys);
  // Whether a message with this key would be a duplicate now. [any]
  bool was_handled(const inbox::MessageKey& key) const;
  // The most messages in one call of the current service; 1 at the start. Each of `concurrency`
  // calls may have this many. [control]
  void set_max_batch(std::size_t messages);
  // Stops and resumes handing out messages; at the start they are handed out. [any]
  void hold();
  void resume();
  // Hands out nothing more, whatever else allows it, until unquiesce(). Waits until no attempt is
  // in the service's hands, at most until `deadline`. False: one still is. [control]
  [[nodiscard]] bool quiesce(Monotonic deadline);
  void unquiesce();
  // The instance was stopped: nobody reads expired pending attempts any more. [control]
  void end_expired_pending();
  // While held: has a worker call the service's probe, and reports ProbeEnded. [any]
  void begin_probe();
  // While held: hands out one message, the next one if there is none now, and reports
  // HalfOpenEnded. [any]
  void begin_half_open();
  // What the service needs may be back: a message is tried at once. [any]
  void try_now();
  // Since when what the service needs is away, and why. [any]
  std::optional<Outage::View> outage() const;

  // Whether the calling thread handles messages inline: then idle() comes soon. [any]
  bool is_inline_here() const TRIGGERD_NO_ANALYSIS { return inline_.on_this_thread(); }
  // Since when the receive thread has been in a call of the service; nullopt: it is in none. [any]
  std::optional<Monotonic> inline_since() const;

  // Whether there are queue_capacity messages inside; stays true until half of them are gone. [any]
  bool full() const { return full_; }

  // Waits until everything accepted is finished, or nothing more can be by `deadline`, but at most
  // until `pause`. True: there is nothing more to wait for. Messages that wait for a retry when
  // draining begins get it at once, so that a long backoff does not cost them their chance. During
  // an outage one message is tried at once, and the others are not waited for. Draining lasts until
  // resume(). [control, main]
  bool drain(Monotonic deadline, Monotonic pause = Monotonic::max());
  // Ends every attempt that waits for complete(): its token is stale from now on. Workers are gone.
  void revoke_pending();
  // The messages that are not finished, oldest first: those that wait, which are taken out, and
  // those in a call that does not return. Nothing else may be under way any more.
  std::vector<DeliveryPtr> take_unfinished();

  // Calls `visit` for every message that is not finished, with the lock held. [any]
  void for_each_unfinished(const std::function<void(const DeliveryPtr&)>& visit) const;
  // How many more fit before full(). [any]
  std::size_t room() const;
  Stats stats() const;  // [any]
  Times times() const;  // [any]

  // No task that was left with the timer begins any more. [control]
  void end_tasks() { tasks_.end(); }

 private:
  using Report = DispatchReport;
  using DeadLetters = std::vector<std::pair<DeliveryPtr, std::string>>;

  bool may_take() const TRIGGERD_REQUIRES(mutex_);
  bool may_run_inline() const TRIGGERD_REQUIRES(mutex_);
  std::optional<const trigger_message*> take_now(const std::stop_token& stop, bool wait)
      TRIGGERD_EXCLUDES(mutex_);
  // The next attempt; null if none may begin.
  const trigger_message* begin_next(Report& report) TRIGGERD_REQUIRES(mutex_);
  const trigger_message* begin_wanted_probe() TRIGGERD_REQUIRES(mutex_);
  void note_not_brief(std::optional<event::NotBrief> not_brief, Report& report)
      TRIGGERD_REQUIRES(mutex_);

  void on_timer();
  void arm(Monotonic when) TRIGGERD_REQUIRES(mutex_);
  void wake() TRIGGERD_REQUIRES(mutex_);
  void note_room(Report& report) TRIGGERD_REQUIRES(mutex_);
  // What may be read without the lock.
  const DispatchState& unlocked() const TRIGGERD_NO_ANALYSIS { return state_; }
  Takers& sleepers() TRIGGERD_NO_ANALYSIS { return takers_; }
  void leave_inline_thread() TRIGGERD_NO_ANALYSIS { inline_.leave_thread(); }

  // Something has ended: the last thing before the lock is released.
  void end_hold(Report& report) TRIGGERD_REQUIRES(mutex_);
  // The first thing after it was released.
  void deliver(Report& report) TRIGGERD_EXCLUDES(mutex_);
  void write_dead_letters(DeadLetters& dead_letters) TRIGGERD_EXCLUDES(mutex_);
  void leave_dead_letters_to_timer(DeadLetters& dead_letters) TRIGGERD_EXCLUDES(mutex_);

  const DispatcherOptions options_;
  DeliverySink& sink_;
  EventLoop& timer_;
  const Random random_;
  std::atomic<std::uint64_t> last_place_{0};

  mutable Mutex mutex_;
  CondVar quiet_;  // a message ended
  DispatchState state_ TRIGGERD_GUARDED_BY(mutex_);
  InlineCalls inline_ TRIGGERD_GUARDED_BY(mutex_);
  Takers takers_ TRIGGERD_GUARDED_BY(mutex_);
  EventLoop::TimerId armed_ TRIGGERD_GUARDED_BY(mutex_);
  std::atomic<bool> full_{false};  // written under the lock
  Histogram batches_;              // added to under the lock, read without it
  TaskGuard tasks_;
};

}  // namespace triggerd::dispatch
