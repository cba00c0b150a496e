#include "dispatch/dispatcher.hpp"

#include <algorithm>
#include <utility>

#include "base/units.hpp"
#include "dispatch/deaths.hpp"
#include "dispatch/dispatcher_attempt.hpp"
#include "dispatch/order_key.hpp"

namespace triggerd::dispatch {
namespace {

trigger_str as_str(std::string_view text) {
  return {text.data(), text.size()};
}

template <class Duration>
auto nanoseconds(Duration duration) {
  return std::chrono::duration_cast<std::chrono::nanoseconds>(duration).count();
}

std::uint64_t nanoseconds_of(Monotonic::duration duration) {
  return static_cast<std::uint64_t>(std::max(nanoseconds(duration), std::int64_t{0}));
}

}  // namespace

Dispatcher::Dispatcher(DispatcherOptions options, DeliverySink& sink, EventLoop& timer,
                       Random random)
    : options_(std::move(options)),
      sink_(sink),
      timer_(timer),
      random_(std::move(random)),
      places_(options_.concurrency) {}

Dispatcher::~Dispatcher() = default;

// ---- In ----

// The lock is held for as short as can be: a worker takes it for each message.
void Dispatcher::accept(std::vector<DeliveryPtr> deliveries) {
  const std::size_t count = deliveries.size();
  // Once for all of them: what messages say of their arrival is on the other clock.
  const Monotonic now = timer_.clock().now();
  const Wall wall = timer_.clock().wall();
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
  std::vector<Run> runs = runs_of(std::move(deliveries));
  Report report;
  std::size_t wake = 0;
  {
    MutexLock lock(mutex_);
    batches_.add(count);
    counts_.received += count;
    for (std::size_t i = 0; i < qos.size(); ++i) counts_.received_qos[i] += qos[i];
    for (Run& run : runs) lanes_.push_all(std::move(run.deliveries), run.count, run.key);
    if (may_take() && !defer_inline(count)) {
      wake = std::min(waiting_, calls_that_may_begin());
      wake_link();
    }
    note_room(report);
  }
  // Without the lock, which the woken worker would wait for.
  if (wake > 1) {
    work_.notify_all();
  } else if (wake == 1) {
    work_.notify_one();
  }
  tell(report);
}

std::vector<Dispatcher::Run> Dispatcher::runs_of(std::vector<DeliveryPtr> deliveries) const {
  std::vector<Run> runs;
  for (DeliveryPtr& delivery : deliveries) {
    if (runs.empty() || keys_differ()) {
      runs.emplace_back().key = order_key(options_.order, delivery->message);
    }
    runs.back().deliveries.push_back(std::move(delivery));
    ++runs.back().count;
  }
  return runs;
}

bool Dispatcher::keys_differ() const {
  return options_.order.by != config::Order::By::trigger &&
         options_.order.by != config::Order::By::none;
}

// ---- Out, and back ----

const trigger_message* Dispatcher::try_take() {
  Report report;
  const trigger_message* next = nullptr;
  {
    MutexLock lock(mutex_);
    next = begin_next(report);
  }
  tell(report);
  return next;
}

// The next attempt; null where none may begin. Messages that have expired end here.
const trigger_message* Dispatcher::begin_next(Report& report) {
  while (may_take()) {
    DeliveryPtr delivery = lanes_.pop();
    if (delivery->condemned) {
      ++writing_dead_letters_;
      std::string reason = *delivery->condemned;
      report.dead_letters.emplace_back(std::move(delivery), std::move(reason));
      continue;
    }
    if (delivery->crash_suspect && in_flight_ > 0) {
      lanes_.put_back(std::move(delivery));
      return nullptr;
    }
    const Monotonic expires = delivery->message.expires;
    if (expires == Monotonic::max() || time_of(report) < expires) {
      return begin_attempt(std::move(delivery), report);
    }
    ++counts_.expired;
    lanes_.release(*delivery);
    forget_death(*delivery, report);
    report.events.emplace_back(event::Expired{std::move(delivery)});
    note_room(report);
    quiet_.notify_all();
  }
  return nullptr;
}

const trigger_message* Dispatcher::take(std::stop_token stop) {
  if (const auto next = take_now(stop, false)) return *next;
  sink_.idle();
  const std::stop_callback wake_up(stop, [this] {
    MutexLock lock(mutex_);
    work_.notify_all();
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
      ++waiting_;
      work_.wait(mutex_);
      --waiting_;
      report.now.reset();
    }
  }
  tell(report);
  return taken;
}

// Most messages come to TRIGGER_OK with more behind them: one lock and one look at the clock do for
// the end of one attempt and the beginning of the next.
const trigger_message* Dispatcher::exchange(const trigger_message& message, plugin::Answer answer,
                                            std::stop_token stop) {
  const trigger_message* next = nullptr;
  {
    Report report;  // not kept while this waits, nor what is in it
    {
      MutexLock lock(mutex_);
      if (take_answer(message, std::move(answer), report)) {
        if (report.empty() && !probe_wanted_ && !stop.stop_requested()) next = begin_next(report);
        note_room(report);
        quiet_.notify_all();
      }
      report.idle_next = next == nullptr && report.empty();
    }
    tell(report);
  }
  if (next != nullptr) return next;
  sink_.idle();
  return take(std::move(stop));
}

void Dispatcher::take_more(std::vector<const trigger_message*>& batch) {
  Report report;
  {
    MutexLock lock(mutex_);
    while (batch.size() < max_batch_) {
      const trigger_message* const next = begin_next(report);
      if (next == nullptr) break;
      batch.push_back(next);
    }
  }
  tell(report);
}

// One worker for each call that may begin, as far as there are idle ones.
void Dispatcher::wake_workers() {
  wake_link();
  if (waiting_ == 0) return;
  if (waiting_ > 1 && calls_that_may_begin() > 1) {
    work_.notify_all();
  } else {
    work_.notify_one();
  }
}

const trigger_message* Dispatcher::begin_attempt(DeliveryPtr delivery, Report& report) {
  Attempt& attempt = new_attempt(std::move(delivery));
  begin(attempt, time_of(report));
  if (held_ && trial_ == Trial::wanted) trial_ = Trial::running;
  if (way_.state == Way::State::due) {
    attempt.tries = true;
    way_.state = Way::State::tried;
    way_.may_be_open = false;
  }
  return &attempt.message;
}

// Read once for as long as the lock is held.
Monotonic Dispatcher::time_of(Report& report) const {
  if (!report.now) report.now = timer_.clock().now();
  return *report.now;
}

// It counts, and its time runs, from now on.
void Dispatcher::begin(Attempt& attempt, Monotonic now) {
  attempt.state = Attempt::State::running;
  attempt.began = now;
  attempt.deadline = attempt.began + options_.timeout;
  attempt.message.deadline_mono_ns =
      static_cast<std::uint64_t>(nanoseconds(attempt.deadline.time_since_epoch()));
  attempt.message.attempt = ++attempt.delivery->attempts;
  last_begun_ = static_cast<std::uint32_t>(attempt.message.token);
  arm(attempt.deadline);
}

// Holds a place, and is not begun.
Dispatcher::Attempt& Dispatcher::new_attempt(DeliveryPtr delivery) {
  if (free_slots_.empty()) {
    free_slots_.push_back(static_cast<std::uint32_t>(attempts_.size()));
    attempts_.push_back(std::make_unique<Attempt>());
  }
  const std::uint32_t slot = free_slots_.back();
  free_slots_.pop_back();
  Attempt& attempt = *attempts_[slot];
  attempt.in_use = true;
  attempt.state = Attempt::State::ahead;
  attempt.tries = false;
  attempt.let_go = false;
  attempt.delivery = std::move(delivery);
  const Delivery& d = *attempt.delivery;
  trigger_message& view = attempt.message;
  // The serial makes a token of an attempt that is over another one than its slot's next.
  if (++last_serial_ == 0) ++last_serial_;
  view.token = std::uint64_t{last_serial_} << 32 | slot;
  view.struct_size = sizeof view;
  view.flags = (d.message.retained ? TRIGGER_MESSAGE_RETAIN : 0U) |
               (d.message.dup ? TRIGGER_MESSAGE_DUP : 0U) |
               (d.message.mqtt5 ? TRIGGER_MESSAGE_MQTT5 : 0U);
  view.id = as_str(d.id);
  view.topic = as_str(d.message.topic);
  view.trigger = as_str(options_.trigger);
  view.payload = {d.message.payload.data(), d.message.payload.size()};
  view.received_unix_ns = nanoseconds(d.message.received.time_since_epoch());
  const auto properties = d.properties ? d.properties->list() : std::span<const trigger_property>();
  view.properties = properties.data();
  view.property_count = properties.size();
  view.attempt = d.attempts + 1;
  view.qos = static_cast<std::uint32_t>(d.message.qos);
  ++in_flight_;
  return attempt;
}

Dispatcher::Attempt* Dispatcher::find_attempt(std::uint64_t token) const {
  const auto slot = static_cast<std::uint32_t>(token);
  if (slot >= attempts_.size()) return nullptr;
  Attempt& attempt = *attempts_[slot];
  return attempt.in_use && attempt.message.token == token ? &attempt : nullptr;
}

void Dispatcher::end_attempt(Attempt& attempt) {
  attempt.in_use = false;
  attempt.delivery.reset();
  attempt.answer = {};
  free_slots_.push_back(static_cast<std::uint32_t>(attempt.message.token));
}

void Dispatcher::answered(const trigger_message& message, plugin::Answer answer) {
  Report report;
  {
    MutexLock lock(mutex_);
    if (!take_answer(message, std::move(answer), report)) return;
    note_room(report);
    quiet_.notify_all();
  }
  tell(report);
}

void Dispatcher::batch_answered(std::span<const trigger_message* const> batch,
                                std::vector<plugin::Answer> answers) {
  Report report;
  std::vector<DeliveryPtr> finished;
  finished.reserve(batch.size());
  {
    MutexLock lock(mutex_);
    for (std::size_t i = 0; i < batch.size(); ++i) {
      (void)take_answer(*batch[i], std::move(answers[i]), report);
      if (report.finished) finished.push_back(std::move(report.finished));
    }
    // This worker goes on with what they made room for; others may have to help.
    if (may_take()) wake_workers();
    note_room(report);
    quiet_.notify_all();
  }
  for (const DeliveryPtr& delivery : finished) sink_.finished(*delivery, false);
  tell(report);
}

// What handle() said of it. False: that attempt is over.
bool Dispatcher::take_answer(const trigger_message& message, plugin::Answer answer,
                             Report& report) {
  Attempt* const found = find_attempt(message.token);
  if (found == nullptr) return false;
  Attempt& attempt = *found;
  const bool pending = answer.code == TRIGGER_PENDING;
  // A worker process may answer what was not asked.
  if (attempt.state == Attempt::State::late || attempt.state == Attempt::State::ahead ||
      (attempt.state == Attempt::State::pending && pending)) {
    return false;
  }
  const bool goes_on = answer.code == TRIGGER_OK && attempt.state != Attempt::State::overdue;
  if (!goes_on) go_on_behind(false);  // before this one is put back, which goes before them
  if (attempt.state == Attempt::State::overdue) {
    if (pending && !attempt.let_go) {
      make_late(attempt, report);
    } else {
      ++counts_.late_answers;
      time_out(attempt, report);
    }
  } else if (attempt.state == Attempt::State::completed) {
    settle(attempt, std::move(attempt.answer), report);
  } else if (pending) {
    attempt.state = Attempt::State::pending;
  } else {
    settle(attempt, std::move(answer), report);
  }
  if (goes_on && !ahead_.empty()) go_on_behind(true);
  return true;
}

std::int32_t Dispatcher::complete(std::uint64_t token, plugin::Answer answer) {
  Report report;
  std::int32_t code = TRIGGER_E_STALE;
  {
    MutexLock lock(mutex_);
    Attempt* const found = find_attempt(token);
    if (found == nullptr) return code;
    Attempt& attempt = *found;
    switch (attempt.state) {
      case Attempt::State::running:
        attempt.state = Attempt::State::completed;
        attempt.answer = std::move(answer);
        return TRIGGER_OK;
      case Attempt::State::pending:
        settle(attempt, std::move(answer), report);
        code = TRIGGER_OK;
        break;
      case Attempt::State::overdue:
        attempt.let_go = true;
        return code;
      case Attempt::State::late:
        ++counts_.late_answers;
        --late_;
        end_attempt(attempt);
        stall_told_ = false;
        break;
      case Attempt::State::completed:
      case Attempt::State::ahead:
        return code;
    }
    if (may_take()) wake_workers();
    note_room(report);
    quiet_.notify_all();
  }
  tell(report);
  return code;
}

std::int32_t Dispatcher::extend(std::uint64_t token, std::uint32_t ms) {
  MutexLock lock(mutex_);
  Attempt* const found = find_attempt(token);
  if (found == nullptr) return TRIGGER_E_STALE;
  Attempt& attempt = *found;
  if (attempt.state == Attempt::State::overdue || attempt.state == Attempt::State::late) {
    return TRIGGER_E_STALE;
  }
  attempt.deadline = timer_.clock().now() + Millis(ms);
  arm(attempt.deadline);
  return TRIGGER_OK;
}

// ---- What a verdict leads to ----

void Dispatcher::settle(Attempt& attempt, plugin::Answer answer, Report& report) {
  DeliveryPtr delivery = std::move(attempt.delivery);
  delivery->took = time_of(report) - attempt.began;
  handle_times_.add(nanoseconds_of(delivery->took));
  if (answer.code == TRIGGER_OK || answer.code == TRIGGER_REJECT) {
    delivery_times_.add(nanoseconds_of(time_of(report) - delivery->arrived));
  }
  const bool tries = attempt.tries;
  if (answer.code == TRIGGER_REJECT) try_again(attempt);  // it may not have gone that far
  end_attempt(attempt);
  --in_flight_;
  delivery->set_last_reason(std::move(answer.reason));
  const bool ran_alone = std::exchange(delivery->crash_suspect, false);
  switch (answer.code) {
    case TRIGGER_OK:
      ++counts_.ok;
      lanes_.release(*delivery);
      end_trial(true, report);
      if (tries) open_way(report);
      forget_death(*delivery, report);
      report.finished = std::move(delivery);
      if (ran_alone && may_take()) wake_workers();
      return;
    case TRIGGER_REJECT:
      ++writing_dead_letters_;
      if (delivery->last_reason().empty()) delivery->set_last_reason("rejected without a reason");
      end_trial(true, report);  // it is this message that is refused
      report.dead_letters.emplace_back(delivery, delivery->last_reason());
      if (tries && may_take()) wake_workers();
      return;
    case TRIGGER_UNAVAILABLE:
      delivery->crash_suspect = ran_alone;  // nothing is known of it that was not
      put_off(std::move(delivery), tries, answer.retry_after_ms, report);
      return;
    case TRIGGER_RETRY:
      break;
    default:
      ++counts_.invalid_verdicts;
      delivery->set_last_reason(
          fmt::format("the service returned {}, which is no verdict", answer.code));
      answer.retry_after_ms = 0;
  }
  if (tries) open_way(report);  // it got through, and failed over this message
  retry_or_exhaust(std::move(delivery), answer.retry_after_ms, report);
}

// What it had ended before does not matter any more.
void Dispatcher::forget_death(const Delivery& delivery, Report& report) const {
  if (delivery.identity == 0) return;
  report.survived.push_back(delivery.identity);
}

void Dispatcher::end_trial(bool handled, Report& report) {
  if (trial_ != Trial::running) return;
  trial_ = Trial::none;
  report.events.emplace_back(event::HalfOpenEnded{handled});
}

void Dispatcher::retry_or_exhaust(DeliveryPtr delivery, std::uint32_t retry_after_ms,
                                  Report& report) {
  if (trial_ == Trial::running && held_) {
    ++counts_.retried;
    delivery->attempts = 0;  // the trigger's trouble, not this message's
    delivery->failed = 0;
    end_trial(false, report);
    lanes_.put_back(std::move(delivery));
    return;
  }
  if (delivery->attempts < options_.retry.max_attempts) {
    ++counts_.retried;
    delivery->failed = delivery->attempts.load();
    const Millis wait = retry_after_ms > 0
                            ? Millis(retry_after_ms)
                            : options_.retry.backoff.delay(delivery->attempts, random_());
    report.events.emplace_back(
        event::Retrying{delivery, delivery->attempts, wait, delivery->last_reason()});
    delay(std::move(delivery), wait);
    return;
  }
  std::string reason = fmt::format(
      "out of attempts ({}): {}", delivery->attempts.load(),
      delivery->last_reason().empty() ? "the service gave no reason" : delivery->last_reason());
  switch (options_.on_exhausted) {
    case config::OnExhausted::dead_letter:
      ++writing_dead_letters_;
      delivery->exhausted = true;
      report.dead_letters.emplace_back(std::move(delivery), std::move(reason));
      break;
    case config::OnExhausted::discard:
      ++counts_.discarded;
      lanes_.release(*delivery);
      forget_death(*delivery, report);
      report.events.emplace_back(event::Discarded{std::move(delivery), std::move(reason)});
      break;
    case config::OnExhausted::suspend:
      ++counts_.retried;
      held_ = true;
      trial_ = Trial::none;
      way_ = {};
      delivery->attempts = 0;
      delivery->failed = 0;
      report.events.emplace_back(event::Suspended{delivery, std::move(reason)});
      lanes_.put_back(std::move(delivery));
      break;
  }
}

std::string Dispatcher::no_verdict() const {
  return fmt::format("no verdict within {}", format_duration(options_.timeout));
}

// The attempt's deadline has passed, and nobody uses its memory any more.
void Dispatcher::time_out(Attempt& attempt, Report& report) {
  DeliveryPtr delivery = std::move(attempt.delivery);
  const bool tries = attempt.tries;
  end_attempt(attempt);
  --in_flight_;
  --overdue_;
  ++counts_.timed_out;
  delivery->set_last_reason(no_verdict());
  if (tries) close_way(tries, delivery->last_reason(), 0, report);
  retry_or_exhaust(std::move(delivery), 0, report);
}

// The same, but the service may still read the message until it calls complete().
void Dispatcher::make_late(Attempt& attempt, Report& report) {
  if (attempt.state == Attempt::State::overdue) --overdue_;
  attempt.state = Attempt::State::late;
  --in_flight_;
  ++late_;
  ++counts_.timed_out;
  const DeliveryPtr delivery = attempt.delivery;
  delivery->set_last_reason(no_verdict());
  if (std::exchange(attempt.tries, false)) close_way(true, delivery->last_reason(), 0, report);
  retry_or_exhaust(delivery, 0, report);
  note_stall(report);
}

void Dispatcher::delay(DeliveryPtr delivery, Millis delay) {
  const Monotonic due = timer_.clock().now() + delay;
  delayed_.emplace(due, std::move(delivery));
  arm(due);
}

}  // namespace triggerd::dispatch
