#include "dispatch/dispatcher.hpp"

#include <algorithm>
#include <array>
#include <utility>

#include "base/units.hpp"
#include "dispatch/deaths.hpp"
#include "dispatch/message_key.hpp"
#include "dispatch/order_key.hpp"

namespace triggerd::dispatch {
namespace {

// How long a dead letter that could not be written waits for the next try.
constexpr Millis kDeadLetterRetry{1'000};

using Run = DispatchState::Run;

std::vector<Run> runs_of(std::vector<DeliveryPtr> deliveries, const config::Order& order) {
  using By = config::Order::By;
  const bool keys_differ = order.by != By::trigger && order.by != By::none;
  std::vector<Run> runs;
  for (DeliveryPtr& delivery : deliveries) {
    if (runs.empty() || keys_differ) {
      runs.emplace_back().key = order_key(order, delivery->message);
    }
    runs.back().deliveries.push_back(std::move(delivery));
    ++runs.back().count;
  }
  return runs;
}

// How many have no key.
std::size_t set_keys_of(const std::vector<DeliveryPtr>& deliveries,
                        const config::Deduplicate& rule) {
  std::size_t without = 0;
  for (const DeliveryPtr& delivery : deliveries) {
    if (const auto key = message_key(rule, delivery->message)) {
      delivery->key = std::make_unique<inbox::HandledKey>(inbox::HandledKey{.key = *key});
    } else {
      ++without;
    }
  }
  return without;
}

}  // namespace

Dispatcher::Dispatcher(DispatcherOptions options, DeliverySink& sink, EventLoop& timer,
                       Random random)
    : options_(std::move(options)),
      sink_(sink),
      timer_(timer),
      random_(std::move(random)),
      state_(options_, timer_.clock(), random_) {}

Dispatcher::~Dispatcher() = default;

// ---- In ----

// The lock is held for as short as can be: a worker takes it for each message.
void Dispatcher::accept(std::vector<DeliveryPtr> deliveries, bool at_once) {
  const std::size_t count = deliveries.size();
  // Once for all of them: what messages say of their arrival is on the other clock.
  // In this order, so that a thread that is kept between the two makes no message older than it is.
  const Wall wall = timer_.clock().wall();
  const Monotonic now = timer_.clock().now();
  std::uint64_t place = last_place_.fetch_add(count, std::memory_order_relaxed);
  std::array<std::uint64_t, 3> qos{};
  for (const DeliveryPtr& delivery : deliveries) {
    delivery->place = ++place;
    delivery->arrived = now - std::chrono::duration_cast<Monotonic::duration>(
                                  std::max(wall - delivery->message.received, Wall::duration(0)));
    ++qos[static_cast<unsigned>(delivery->message.qos) % 3];
    if (options_.deaths != nullptr) {
      options_.deaths->mark(*delivery, options_.trigger, options_.retry.max_attempts);
    }
  }
  const std::size_t without_key =
      options_.deduplicate ? set_keys_of(deliveries, *options_.deduplicate) : 0;
  std::vector<Run> runs = runs_of(std::move(deliveries), options_.order);
  Report report;
  std::size_t wake = 0;
  {
    MutexLock lock(mutex_);
    batches_.add(count);
    state_.accept(std::move(runs), count, qos, at_once, report);
    state_.counts().without_key += without_key;
    arm(report.timer_at);
    if (may_take()) {
      // If these are all there are, this thread may call the service itself.
      if (may_run_inline() && state_.waiting() == count &&
          inline_.defer(count, state_.max_batch(), now)) {
        arm(inline_.look_at().value_or(Monotonic::max()));
      } else {
        wake = std::min(takers_.sleeping(), state_.calls_that_may_begin());
        takers_.wake_link();
      }
    }
    state_.note_pace(report);
    note_room(report);
  }
  sleepers().wake_workers(wake);  // without the lock, which they would wait for
  deliver(report);
}

// ---- Out ----

bool Dispatcher::may_take() const {
  return !inline_.under_way() && state_.may_take();
}

// One worker for each call that may begin, as far as there are idle ones.
void Dispatcher::wake() {
  takers_.wake(state_.calls_that_may_begin());
}

const trigger_message* Dispatcher::try_take() {
  Report report;
  const trigger_message* next = nullptr;
  {
    MutexLock lock(mutex_);
    next = begin_next(report);
  }
  deliver(report);
  return next;
}

const trigger_message* Dispatcher::begin_next(Report& report) {
  if (inline_.under_way()) return nullptr;
  const trigger_message* const next = state_.begin_next(report);
  state_.note_pace(report);
  arm(report.timer_at);
  if (report.others) {  // messages have expired
    note_room(report);
    quiet_.notify_all();
  }
  return next;
}

const trigger_message* Dispatcher::begin_wanted_probe() {
  Probe& probe = state_.admission().probe();
  if (!probe.wanted() || inline_.under_way()) return nullptr;
  (void)probe.begin(timer_.clock().now() + options_.timeout);
  return &kProbe;
}

const trigger_message* Dispatcher::take(std::stop_token stop) {
  if (const auto next = take_now(stop, false)) return *next;
  sink_.idle();
  const std::stop_callback wake_up(stop, [this] {
    MutexLock lock(mutex_);
    takers_.wake_workers(SIZE_MAX);
  });
  for (;;) {
    if (const auto next = take_now(stop, true)) return *next;
  }
}

// What take() returns; nullopt: nothing, for now, after having waited where it was to.
std::optional<const trigger_message*> Dispatcher::take_now(const std::stop_token& stop, bool wait) {
  Report report;
  std::optional<const trigger_message*> taken;
  {
    MutexLock lock(mutex_);
    for (;;) {
      if (stop.stop_requested()) {
        taken = nullptr;
      } else if (const trigger_message* probe = begin_wanted_probe()) {
        taken = probe;
      } else if (const trigger_message* next = begin_next(report)) {
        taken = next;
      }
      if (taken || !wait || !report.empty()) break;
      takers_.wait(mutex_);
      report.forget_time();
    }
  }
  deliver(report);
  return taken;
}

void Dispatcher::take_more(std::vector<const trigger_message*>& batch) {
  Report report;
  {
    MutexLock lock(mutex_);
    while (batch.size() < state_.max_batch()) {
      const trigger_message* const next = begin_next(report);
      if (next == nullptr) break;
      batch.push_back(next);
    }
  }
  deliver(report);
}

// ---- And back ----

// Most messages come to TRIGGER_OK with more behind them: one lock and one look at the clock do for
// the end of one attempt and the beginning of the next.
const trigger_message* Dispatcher::exchange(const trigger_message& message, plugin::Answer answer,
                                            std::stop_token stop) {
  const trigger_message* next = nullptr;
  {
    Report report;  // not kept while this waits, nor what is in it
    {
      MutexLock lock(mutex_);
      if (state_.take_answer(message, std::move(answer), report)) {
        const bool goes_on =
            report.empty() && !state_.admission().probe().wanted() && !stop.stop_requested();
        if (goes_on) next = begin_next(report);
        end_hold(report);
      }
      report.idle_next = next == nullptr && report.empty();
    }
    deliver(report);
  }
  if (next != nullptr) return next;
  sink_.idle();
  return take(std::move(stop));
}

void Dispatcher::answered(const trigger_message& message, plugin::Answer answer) {
  Report report;
  {
    MutexLock lock(mutex_);
    if (!state_.take_answer(message, std::move(answer), report)) return;
    end_hold(report);
  }
  deliver(report);
}

void Dispatcher::batch_answered(std::span<const trigger_message* const> batch,
                                std::vector<plugin::Answer> answers) {
  Report report;
  report.expect_finished(batch.size());
  {
    MutexLock lock(mutex_);
    for (std::size_t i = 0; i < batch.size(); ++i) {
      (void)state_.take_answer(*batch[i], std::move(answers[i]), report);
    }
    report.wake =
        true;  // this worker goes on with what they made room for; others may have to help
    end_hold(report);
  }
  deliver(report);
}

std::int32_t Dispatcher::complete(std::uint64_t token, plugin::Answer answer) {
  Report report;
  DispatchState::Completion completion;
  {
    MutexLock lock(mutex_);
    completion = state_.complete(token, std::move(answer), report);
    if (!completion.changed) return completion.code;
    report.wake = true;
    end_hold(report);
  }
  deliver(report);
  return completion.code;
}

std::int32_t Dispatcher::extend(std::uint64_t token, std::uint32_t ms) {
  MutexLock lock(mutex_);
  const auto deadline = state_.extend(token, ms);
  if (!deadline) return TRIGGER_E_STALE;
  arm(*deadline);
  return TRIGGER_OK;
}

// ---- What is due ----

void Dispatcher::on_timer() {
  Report report;
  {
    MutexLock lock(mutex_);
    armed_ = {};
    const Monotonic now = timer_.clock().now();
    if (state_.pass_time(now, report)) {
      takers_.link_waits(true);  // whether or not it had nothing: it is to ask overrunning()
      takers_.wake_link();
    }
    InlineCalls::Look look = inline_.look(now);
    report.wake = report.wake || look.wake_workers;
    note_not_brief(look.not_brief, report);
    report.set_timer(inline_.look_at().value_or(Monotonic::max()));
    end_hold(report);
  }
  deliver(report);
}

void Dispatcher::arm(Monotonic when) {
  if (when == Monotonic::max() || (armed_.serial != 0 && armed_.when <= when)) return;
  timer_.cancel(armed_);
  armed_ = timer_.at(when, tasks_([this] { on_timer(); }));
}

// ---- Reporting ----

void Dispatcher::note_room(Report& report) {
  const std::size_t inside = state_.unfinished();
  const bool full =
      full_ ? inside > options_.queue_capacity / 2 : inside >= options_.queue_capacity;
  if (full == full_) return;
  full_ = full;
  report.room_changed = true;
}

void Dispatcher::end_hold(Report& report) {
  if (report.wake && may_take()) wake();
  state_.note_pace(report);
  report.wake = false;
  arm(report.timer_at);
  note_room(report);
  quiet_.notify_all();
}

void Dispatcher::deliver(Report& report) {
  DispatchReport::Others* const others = report.others.get();
  if (others != nullptr) {
    for (const DeliveryPtr& delivery : others->finished) sink_.finished(*delivery, false);
  }
  if (report.finished) sink_.finished(*report.finished, report.idle_next);
  if (others != nullptr) {
    for (const std::uint64_t identity : others->survived) options_.deaths->forget(identity);
    for (const DispatchEvent& event : others->events) sink_.on_event(event);
  }
  if (report.room_changed) sink_.room_changed();
  if (others == nullptr || others->dead_letters.empty()) return;
  if (is_inline_here()) {
    leave_dead_letters_to_timer(others->dead_letters);
  } else {
    write_dead_letters(others->dead_letters);
  }
}

void Dispatcher::write_dead_letters(DeadLetters& dead_letters) {
  Report after;
  for (auto& [delivery, reason] : dead_letters) {
    const bool written = sink_.write_dead_letter(*delivery, reason);
    if (written && delivery->crashes.identity != 0) {
      if (delivery->crashes.condemned) {
        options_.deaths->became_dead_letter(delivery->crashes.identity);
      } else {
        options_.deaths->forget(delivery->crashes.identity);
      }
    }
    MutexLock lock(mutex_);
    if (written) {
      state_.outcomes().dead_letter_written(delivery);
    } else {
      const Monotonic again = timer_.clock().now() + kDeadLetterRetry;
      state_.outcomes().dead_letter_waits(delivery, std::move(reason), again);
      arm(again);
    }
    after.wake = true;
    end_hold(after);
  }
  if (after.room_changed) sink_.room_changed();
}

// The receive thread waits for no disk.
void Dispatcher::leave_dead_letters_to_timer(DeadLetters& dead_letters) {
  MutexLock lock(mutex_);
  const Monotonic now = timer_.clock().now();
  for (auto& [delivery, reason] : dead_letters) {
    state_.outcomes().dead_letter_waits(std::move(delivery), std::move(reason), now);
  }
  arm(now);
}

// ---- Whether messages are handed out ----

void Dispatcher::set_keys(std::shared_ptr<inbox::KeyList> keys) {
  MutexLock lock(mutex_);
  state_.set_keys(std::move(keys));
}

bool Dispatcher::was_handled(const inbox::MessageKey& key) const {
  MutexLock lock(mutex_);
  return state_.was_handled(key);
}

void Dispatcher::set_max_batch(std::size_t messages) {
  MutexLock lock(mutex_);
  state_.set_max_batch(messages);
}

void Dispatcher::hold() {
  MutexLock lock(mutex_);
  state_.admission().hold();
}

void Dispatcher::resume() {
  MutexLock lock(mutex_);
  state_.admission().resume();
  takers_.wake_all();
}

bool Dispatcher::quiesce(Monotonic deadline) {
  MutexLock lock(mutex_);
  state_.admission().quiesce();
  const AttemptTable& attempts = state_.attempts();
  while (attempts.in_flight() > 0 && timer_.clock().now() < deadline) {
    quiet_.wait_until(mutex_, deadline);
  }
  return attempts.in_flight() == 0;
}

void Dispatcher::unquiesce() {
  MutexLock lock(mutex_);
  state_.admission().unquiesce();
  takers_.wake_all();
}

void Dispatcher::begin_probe() {
  MutexLock lock(mutex_);
  state_.admission().probe().ask();
  takers_.wake(1);
}

void Dispatcher::probed(const Result<>& outcome) {
  {
    MutexLock lock(mutex_);
    if (!state_.admission().probe().end()) return;  // nobody has asked
  }
  sink_.on_event(event::ProbeEnded{outcome});
}

void Dispatcher::begin_half_open() {
  MutexLock lock(mutex_);
  if (state_.admission().begin_half_open()) takers_.wake_all();
}

void Dispatcher::try_now() {
  MutexLock lock(mutex_);
  if (state_.admission().may_be_over() && may_take()) wake();
}

std::optional<Outage::View> Dispatcher::outage() const {
  MutexLock lock(mutex_);
  return state_.admission().outage().view();
}

// ---- Calls by the receive thread ----

void Dispatcher::set_inline_worker(std::shared_ptr<plugin::InlineWorker> worker) {
  MutexLock lock(mutex_);
  inline_.set_worker(std::move(worker));
}

bool Dispatcher::may_run_inline() const {
  const Admission& admission = state_.admission();
  return inline_.has_worker() && options_.pacing.delay == Millis(0) &&
         state_.attempts().in_flight() == 0 && admission.unrestricted() && !admission.draining() &&
         !admission.probe().open();
}

const trigger_message* Dispatcher::take_inline() {
  Report report;
  const trigger_message* next = nullptr;
  {
    MutexLock lock(mutex_);
    inline_.end_call();
    inline_.enter_thread();
    if (may_run_inline()) next = begin_next(report);
    if (next != nullptr) {
      ++state_.counts().inline_calls;
      inline_.begin(timer_.clock().now());
      arm(inline_.look_at().value_or(Monotonic::max()));
    }
  }
  deliver(report);
  return next;
}

void Dispatcher::inline_over(std::optional<Monotonic::duration> too_long) {
  Report report;
  {
    MutexLock lock(mutex_);
    inline_.end_call();
    if (too_long) note_not_brief(inline_.give_up(*too_long, true), report);
    if (state_.admission().probe().wanted()) takers_.wake_workers(1);
    if (may_take()) wake();
  }
  deliver(report);
  leave_inline_thread();
  sink_.idle();
}

void Dispatcher::note_not_brief(std::optional<event::NotBrief> not_brief, Report& report) {
  if (!not_brief) return;
  ++state_.counts().not_brief;
  report.add(*not_brief);
}

std::optional<Monotonic> Dispatcher::inline_since() const {
  MutexLock lock(mutex_);
  return inline_.since();
}

// ---- The link of a worker process ----

plugin::WorkSource::Taken Dispatcher::poll(std::size_t ahead) {
  Report report;
  Taken taken;
  {
    MutexLock lock(mutex_);
    taken.message = begin_wanted_probe();
    if (taken.message == nullptr) taken.message = begin_next(report);
    if (taken.message == nullptr) {
      taken.message = state_.hand_ahead(ahead);
      taken.follows = taken.message != nullptr;
    }
    takers_.link_waits(taken.message == nullptr);
  }
  deliver(report);
  if (taken.message == nullptr) sink_.idle();
  return taken;
}

void Dispatcher::listen(std::function<void()> waker) {
  MutexLock lock(mutex_);
  takers_.set_link(std::move(waker));
  takers_.wake_link();
}

// Asked at every turn of the link, which is not to need the lock where nothing is.
bool Dispatcher::overrunning() const {
  if (unlocked().attempts().overrunning() > 0) return true;
  if (!unlocked().admission().probe().under_way()) return false;
  MutexLock lock(mutex_);
  return state_.admission().probe().overruns(timer_.clock().now());
}

void Dispatcher::lost(const Loss& loss) {
  Report report;
  {
    MutexLock lock(mutex_);
    state_.lose_worker(loss, report);
    end_hold(report);
  }
  deliver(report);
}

// ---- The end of a trigger, or of its service ----

void Dispatcher::end_expired_pending() {
  Report report;
  {
    MutexLock lock(mutex_);
    state_.end_expired_pending();
    note_room(report);
  }
  deliver(report);
}

void Dispatcher::revoke_pending() {
  MutexLock lock(mutex_);
  Report report;
  state_.revoke_pending(report);
  arm(report.timer_at);
}

bool Dispatcher::drain(Monotonic deadline, Monotonic pause) {
  MutexLock lock(mutex_);
  state_.begin_draining();
  if (may_take()) wake();  // also for what was left to the receive thread
  const Monotonic until = std::min(deadline, pause);
  while (!state_.nothing_left_before(deadline) && timer_.clock().now() < until) {
    quiet_.wait_until(mutex_, until);
  }
  return state_.nothing_left_before(deadline);
}

std::vector<DeliveryPtr> Dispatcher::take_unfinished() {
  MutexLock lock(mutex_);
  return state_.take_unfinished();
}

// ---- What there is ----

void Dispatcher::for_each_unfinished(const std::function<void(const DeliveryPtr&)>& visit) const {
  MutexLock lock(mutex_);
  state_.for_each_unfinished(visit);
}

std::size_t Dispatcher::room() const {
  MutexLock lock(mutex_);
  const std::size_t inside = state_.unfinished();
  return inside >= options_.queue_capacity ? 0 : options_.queue_capacity - inside;
}

Dispatcher::Stats Dispatcher::stats() const {
  MutexLock lock(mutex_);
  return state_.stats();
}

Dispatcher::Times Dispatcher::times() const {
  constexpr double kSecond = 1e9;
  return {.handle = unlocked().outcomes().handle_times().snapshot(kSecond),
          .delivery = unlocked().outcomes().delivery_times().snapshot(kSecond),
          .batch = batches_.snapshot(1)};
}

}  // namespace triggerd::dispatch
