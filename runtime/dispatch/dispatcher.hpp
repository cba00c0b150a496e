// The dispatcher: the heart of a trigger. Messages go in at one end, attempts come out at the
// other, and every message ends in one of five ways: finished, a dead letter, discarded
// because the user chose that, expired because its sender did, or left over at shutdown.
//
// Threads. accept() comes from Paho's receive thread, a batch at a time, and only locks, queues and
// notifies. take() and answered() come from workers, and from the receive thread where that calls a
// brief service (dispatcher_inline.cpp); complete() and extend() from any thread of a plugin;
// deadlines and retries from the timer (an EventLoop). One mutex protects all states. DeliverySink
// is called without it.
//
// A token names an attempt. An attempt is over when its verdict is in, or when its deadline has
// passed: then it counts as a retry, and a later answer is refused. What a late attempt may still
// read is kept until it does answer; those messages count against the capacity.
#pragma once

#include <trigger/plugin.h>

#include <array>
#include <atomic>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <thread>
#include <vector>

#include "base/event_loop.hpp"
#include "base/histogram.hpp"
#include "base/mutex.hpp"
#include "base/task_guard.hpp"
#include "config/config.hpp"
#include "dispatch/delivery_sink.hpp"
#include "dispatch/lanes.hpp"
#include "plugin/work.hpp"

namespace triggerd::dispatch {

class Deaths;

struct DispatcherOptions {
  std::string trigger;
  std::uint32_t concurrency = 1;
  config::Order order;
  std::uint32_t queue_capacity = 1000;
  Millis timeout{30'000};
  config::Retry retry;
  config::OnExhausted on_exhausted = config::OnExhausted::dead_letter;
  Deaths* deaths = nullptr;  // outlives it; null: nothing is known of earlier runs
};

class Dispatcher final : public plugin::WorkSource {
 public:
  // All outlive the dispatcher. Before it is destroyed `timer` is stopped, or end_tasks() was
  // called and the timer has passed.
  Dispatcher(DispatcherOptions options, DeliverySink& sink, EventLoop& timer, Random random);
  ~Dispatcher() override;

  // In this order. Where there is a Deferred, its thread may be the one that calls the service
  // then. [Paho receive thread, supervisor]
  void accept(std::vector<DeliveryPtr> deliveries);

  // What take() would return at once; null where it would wait. [worker]
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
  // WorkSource: see dispatcher_inline.cpp
  void set_inline_worker(std::shared_ptr<plugin::InlineWorker> worker) override;
  const trigger_message* take_inline() override;
  void inline_over(std::optional<Monotonic::duration> too_long) override;
  // WorkSource [link of a worker process]
  Taken poll(std::size_t ahead) override;
  void listen(std::function<void()> waker) override;
  bool overdue() const override;
  void lost(const Loss& loss) override;

  // As InstanceHost says. [any]
  std::int32_t complete(std::uint64_t token, plugin::Answer answer);
  std::int32_t extend(std::uint64_t token, std::uint32_t ms);

  // The most messages of one call of the service that serves; 1 from the start. Each of
  // `concurrency` calls may have so many in the service's hands. [control]
  void set_max_batch(std::size_t messages);
  // Whether messages are handed out; they are from the start. [any]
  void hold();
  void resume();
  // Hands out nothing more, whatever else allows it, until unquiesce(); and waits until no attempt
  // is in the service's hands, at most to `deadline`. False: one still is. [control]
  [[nodiscard]] bool quiesce(Monotonic deadline);
  void unquiesce();
  // The instance was stopped: nobody reads late attempts any more. [control]
  void end_expired_pending();
  // While held: has a worker call the service's probe, and reports ProbeEnded. [any]
  void begin_probe();
  // While held: hands out one message, and reports HalfOpenEnded. Where there is none, the next
  // one. [any]
  void begin_half_open();
  // What the service needs may be there again: a message is tried at once. [any]
  void try_now();
  // Since when what the service needs is away, and why. [any]
  struct Outage {
    Wall since{};
    std::string reason;
  };
  std::optional<Outage> outage() const;

  // Whether the calling thread handles messages inline: then idle() comes soon. [any]
  bool is_inline_here() const;
  // Since when the receive thread has been in a call of the service, where it is in one. [any]
  std::optional<Monotonic> inline_since() const;

  // Whether there are queue_capacity messages inside; until half of them are gone. [any]
  bool full() const;

  // Waits until everything accepted is finished, or nothing more can be by `deadline`; at most
  // until `pause`, and tells whether there is nothing more to wait for. Messages that wait for a
  // retry when it begins get it at once, so that a long backoff does not cost them their chance; so
  // does one where what the service needs is away, and while it is nothing is waited for. Until
  // resume(). [control, main]
  bool drain(Monotonic deadline, Monotonic pause = Monotonic::max());
  // Ends every attempt that waits for complete(): its token is stale from now on. Workers are gone.
  void revoke_pending();
  // What is not finished, oldest first: what waits is taken out, and what is in the hands of a
  // service that does not return is among it too. Nothing else is under way any more.
  std::vector<DeliveryPtr> take_unfinished();

  // Calls `visit` for every message that is not finished, with the lock held. [any]
  void for_each_unfinished(const std::function<void(const DeliveryPtr&)>& visit) const;
  // How many more fit before full(). [any]
  std::size_t room() const;

  // received = ok + rejected + exhausted + discarded + expired + queued + in_flight + delayed.
  struct Stats {
    std::uint64_t received = 0;
    std::array<std::uint64_t, 3> received_qos{};
    std::uint64_t ok = 0;
    std::uint64_t retried = 0;           // attempts that failed and were not the last
    std::uint64_t rejected = 0;          // kept as dead letters, by the service's verdict
    std::uint64_t exhausted = 0;         // kept as dead letters, out of attempts
    std::uint64_t timed_out = 0;         // of all attempts that failed
    std::uint64_t invalid_verdicts = 0;  //
    std::uint64_t late_answers = 0;
    std::uint64_t unavailable = 0;
    std::uint64_t expired = 0;
    std::uint64_t discarded = 0;     // out of attempts
    std::uint64_t inline_calls = 0;  // of the service, by the receive thread
    std::uint64_t not_brief = 0;     // of these, those that ended it
    std::size_t queued = 0;          // waiting for a worker
    std::size_t in_flight = 0;
    std::size_t delayed = 0;  // waiting for their retry, or to be kept as dead letters
    std::size_t late = 0;
  };
  Stats stats() const;
  struct Times {
    HistogramSnapshot handle;    // seconds from a call of the service to its verdict
    HistogramSnapshot delivery;  // seconds from the socket to the last verdict
    HistogramSnapshot batch;     // messages that came together
  };
  Times times() const;  // [any]

  // No task that was left with the timer begins any more. [control]
  void end_tasks() { tasks_.end(); }

 private:
  struct Attempt;
  // What to tell the sink once the lock is released.
  struct Report;

  // Messages one behind another that go to the same lane.
  struct Run {
    std::optional<std::string> key;
    DeliveryQueue deliveries{};
    std::size_t count = 0;
  };
  std::vector<Run> runs_of(std::vector<DeliveryPtr> deliveries) const;
  bool keys_differ() const;

  std::optional<const trigger_message*> take_now(const std::stop_token& stop, bool wait)
      TRIGGERD_EXCLUDES(mutex_);
  const trigger_message* begin_wanted_probe() TRIGGERD_REQUIRES(mutex_);
  bool probe_is_overdue() const TRIGGERD_REQUIRES(mutex_);
  bool may_run_inline() const TRIGGERD_REQUIRES(mutex_);
  // Whether the messages that came just now, and are all there are, are left to this thread.
  bool defer_inline(std::size_t messages) TRIGGERD_REQUIRES(mutex_);
  void watch_inline_from(Monotonic now) TRIGGERD_REQUIRES(mutex_);
  // Returns when it is to be called next.
  std::optional<Monotonic> watch_inline(Monotonic now, Report& report) TRIGGERD_REQUIRES(mutex_);
  void end_inline(Monotonic::duration kept, bool returned, Report& report)
      TRIGGERD_REQUIRES(mutex_);
  void lose_probe(const Loss& loss, Report& report) TRIGGERD_REQUIRES(mutex_);
  const trigger_message* begin_next(Report& report) TRIGGERD_REQUIRES(mutex_);
  Monotonic time_of(Report& report) const TRIGGERD_REQUIRES(mutex_);
  const trigger_message* begin_attempt(DeliveryPtr delivery, Report& report)
      TRIGGERD_REQUIRES(mutex_);
  Attempt& new_attempt(DeliveryPtr delivery) TRIGGERD_REQUIRES(mutex_);
  void begin(Attempt& attempt, Monotonic now) TRIGGERD_REQUIRES(mutex_);
  const trigger_message* hand_ahead(std::size_t ahead) TRIGGERD_REQUIRES(mutex_);
  void go_on_behind(bool ok) TRIGGERD_REQUIRES(mutex_);
  void give_back(Attempt& attempt, Report& report) TRIGGERD_REQUIRES(mutex_);
  // The one that is handled, or handed over, last, where that is to be alone.
  bool one_runs_alone() const TRIGGERD_REQUIRES(mutex_);
  void wake_link() TRIGGERD_REQUIRES(mutex_);
  Attempt* find_attempt(std::uint64_t token) const TRIGGERD_REQUIRES(mutex_);
  void end_attempt(Attempt& attempt) TRIGGERD_REQUIRES(mutex_);
  bool take_answer(const trigger_message& message, plugin::Answer answer, Report& report)
      TRIGGERD_REQUIRES(mutex_);
  void settle(Attempt& attempt, plugin::Answer answer, Report& report) TRIGGERD_REQUIRES(mutex_);
  void retry_or_exhaust(DeliveryPtr delivery, std::uint32_t retry_after_ms, Report& report)
      TRIGGERD_REQUIRES(mutex_);
  void forget_death(const Delivery& delivery, Report& report) const;
  std::string no_verdict() const;
  void time_out(Attempt& attempt, Report& report) TRIGGERD_REQUIRES(mutex_);
  void make_late(Attempt& attempt, Report& report) TRIGGERD_REQUIRES(mutex_);
  void put_off(DeliveryPtr delivery, bool tries, std::uint32_t retry_after_ms, Report& report)
      TRIGGERD_REQUIRES(mutex_);
  void close_way(bool tries, const std::string& reason, std::uint32_t retry_after_ms,
                 Report& report) TRIGGERD_REQUIRES(mutex_);
  void open_way(Report& report) TRIGGERD_REQUIRES(mutex_);
  void try_again(Attempt& attempt) TRIGGERD_REQUIRES(mutex_);
  void try_way() TRIGGERD_REQUIRES(mutex_);
  void delay(DeliveryPtr delivery, Millis delay) TRIGGERD_REQUIRES(mutex_);
  void go_again(DeliveryPtr delivery, Report& report) TRIGGERD_REQUIRES(mutex_);
  void arm(Monotonic when) TRIGGERD_REQUIRES(mutex_);
  void wake_workers() TRIGGERD_REQUIRES(mutex_);
  void end_trial(bool handled, Report& report) TRIGGERD_REQUIRES(mutex_);
  void note_room(Report& report) TRIGGERD_REQUIRES(mutex_);
  void note_stall(Report& report) TRIGGERD_REQUIRES(mutex_);
  std::size_t unfinished() const TRIGGERD_REQUIRES(mutex_);
  bool may_take() const TRIGGERD_REQUIRES(mutex_);
  // With may_take(): how many calls the messages that may go are worth, at most.
  std::size_t calls_that_may_begin() const TRIGGERD_REQUIRES(mutex_);
  bool nothing_left_before(Monotonic deadline) const TRIGGERD_REQUIRES(mutex_);
  void on_timer();
  void write_on_timer(Report& report) TRIGGERD_EXCLUDES(mutex_);
  // Tells the sink, and writes the dead letters that the report asks for.
  void tell(Report& report) TRIGGERD_EXCLUDES(mutex_);

  const DispatcherOptions options_;
  DeliverySink& sink_;
  EventLoop& timer_;
  const Random random_;

  std::atomic<std::uint64_t> last_place_{0};

  mutable Mutex mutex_;
  CondVar work_;   // something may be taken, or a worker is to stop
  CondVar quiet_;  // a message ended
  Lanes lanes_ TRIGGERD_GUARDED_BY(mutex_);
  // By slot, which is the lower half of the token; used again when the attempt is over.
  std::vector<std::unique_ptr<Attempt>> attempts_ TRIGGERD_GUARDED_BY(mutex_);
  std::vector<std::uint32_t> free_slots_ TRIGGERD_GUARDED_BY(mutex_);
  std::multimap<Monotonic, DeliveryPtr> delayed_ TRIGGERD_GUARDED_BY(mutex_);
  std::uint32_t last_serial_ TRIGGERD_GUARDED_BY(mutex_) = 0;
  std::uint32_t last_begun_ TRIGGERD_GUARDED_BY(mutex_) = 0;     // the slot
  std::deque<std::uint32_t> ahead_ TRIGGERD_GUARDED_BY(mutex_);  // slots, in their order
  std::function<void()> waker_ TRIGGERD_GUARDED_BY(mutex_);
  bool listening_ TRIGGERD_GUARDED_BY(mutex_) = false;  // poll() had nothing
  std::shared_ptr<plugin::InlineWorker> inline_ TRIGGERD_GUARDED_BY(mutex_);
  // When the call began that the receive thread is in; it is in none.
  std::optional<Monotonic> inline_began_ TRIGGERD_GUARDED_BY(mutex_);
  std::optional<Monotonic> inline_watch_ TRIGGERD_GUARDED_BY(mutex_);  // it is looked at then
  std::atomic<std::thread::id> inline_thread_{};
  std::atomic<std::size_t> overdue_{0};                  // written under the lock
  std::size_t waiting_ TRIGGERD_GUARDED_BY(mutex_) = 0;  // workers that wait for a message
  std::size_t max_batch_ TRIGGERD_GUARDED_BY(mutex_) = 1;
  std::size_t places_ TRIGGERD_GUARDED_BY(mutex_);         // how many attempts may be under way
  std::size_t in_flight_ TRIGGERD_GUARDED_BY(mutex_) = 0;  // attempts that hold a place
  std::size_t writing_dead_letters_ TRIGGERD_GUARDED_BY(mutex_) =
      0;  // being written as dead letters
  std::size_t late_ TRIGGERD_GUARDED_BY(mutex_) = 0;
  bool held_ TRIGGERD_GUARDED_BY(mutex_) = false;
  bool gate_closed_ TRIGGERD_GUARDED_BY(mutex_) = false;
  enum class Trial { none, wanted, running };
  // The way to what the service needs, by what it says of it with TRIGGER_UNAVAILABLE.
  struct Way {
    enum class State {
      open,
      closed,  // nothing is handed out until `next`
      due,     // one message may be
      tried    // it is, and nothing beside it
    };
    State state = State::open;
    std::uint32_t failures = 0;
    Monotonic next{};
    Millis wait{};
    bool may_be_open = false;  // try_now(), while one was tried already
    Monotonic closed{};
    Wall since{};
    std::string reason;
    std::optional<Monotonic> opened;  // for the last time
  };
  Way way_ TRIGGERD_GUARDED_BY(mutex_);
  bool draining_ TRIGGERD_GUARDED_BY(mutex_) = false;
  bool probe_wanted_ TRIGGERD_GUARDED_BY(mutex_) = false;
  // When the probe that was begun is to have returned; none is.
  std::optional<Monotonic> probe_deadline_ TRIGGERD_GUARDED_BY(mutex_);
  std::atomic<bool> probe_out_{false};  // whether there is one; written under the lock
  Trial trial_ TRIGGERD_GUARDED_BY(mutex_) = Trial::none;
  std::atomic<bool> full_{false};  // written under the lock
  bool stall_told_ TRIGGERD_GUARDED_BY(mutex_) = false;
  EventLoop::TimerId armed_ TRIGGERD_GUARDED_BY(mutex_);
  Stats counts_ TRIGGERD_GUARDED_BY(mutex_);
  Histogram handle_times_;    // added to under the lock, read without it
  Histogram delivery_times_;  //
  Histogram batches_;         //
  TaskGuard tasks_;
};

}  // namespace triggerd::dispatch
