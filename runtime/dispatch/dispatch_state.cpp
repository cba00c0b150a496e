#include "dispatch/dispatch_state.hpp"

#include <algorithm>
#include <utility>

#include "base/units.hpp"

namespace triggerd::dispatch {

DispatchState::DispatchState(const DispatcherOptions& options, const Clock& clock,
                             const Random& random)
    : options_(options),
      clock_(clock),
      attempts_(options.trigger, options.timeout),
      pace_(options.pacing.max_rate),
      admission_(options.retry.backoff, clock, random),
      outcomes_({.options = options,
                 .clock = clock,
                 .random = random,
                 .lanes = lanes_,
                 .attempts = attempts_,
                 .retries = retries_,
                 .deduplicator = deduplicator_,
                 .admission = admission_,
                 .pace = pace_,
                 .counts = counts_}),
      prefetch_(attempts_, lanes_),
      places_(options.concurrency) {}

// ---- In and out ----

void DispatchState::accept(std::vector<Run> runs, std::size_t count,
                           const std::array<std::uint64_t, 3>& count_by_qos, bool at_once,
                           DispatchReport& report) {
  counts_.received += count;
  for (std::size_t i = 0; i < count_by_qos.size(); ++i) counts_.received_qos[i] += count_by_qos[i];
  const Millis delay = options_.pacing.delay;
  if (at_once || delay == Millis(0)) {
    for (Run& run : runs) lanes_.push_all(std::move(run.deliveries), run.count, run.key);
    return;
  }
  for (Run& run : runs) {
    while (!run.deliveries.empty()) {
      DeliveryPtr delivery = run.deliveries.pop_front();
      // To the millisecond, so that one timer does for all messages of it.
      const Monotonic due = std::chrono::ceil<Millis>(delivery->arrived + delay);
      delays_.add({due, std::move(delivery), run.key});
    }
  }
  release_delayed(report.time(clock_));
  report.set_timer(delays_.next());
}

// Those whose delay is over go into their lanes. False: there were none.
bool DispatchState::release_delayed(Monotonic now) {
  bool any = false;
  while (auto due = delays_.pop_due(now)) {
    DeliveryQueue one;
    one.push_back(std::move(due->delivery));
    lanes_.push_all(std::move(one), 1, due->key);
    any = true;
  }
  return any;
}

bool DispatchState::has_next() const {
  const std::size_t in_flight = attempts_.in_flight();
  return lanes_.has_ready() && admission_.admits(in_flight) && in_flight < places_ && !stalled() &&
         !suspect_is_out();
}

std::size_t DispatchState::calls_that_may_begin() const {
  if (admission_.outage().tests_next()) return 1;
  const std::size_t messages =
      std::min({places_ - attempts_.in_flight(), lanes_.size(), pace_.burst()});
  return max_batch_ == 1 ? messages : (messages + max_batch_ - 1) / max_batch_;
}

bool DispatchState::suspect_is_out() const {
  if (attempts_.in_flight() == 0) return false;
  const Attempt* const last = attempts_.last_begun();
  return last != nullptr && last->state != Attempt::State::expired_pending &&
         last->delivery->crashes.suspect;
}

const trigger_message* DispatchState::begin_next(DispatchReport& report) {
  bool looked = false;
  for (; may_take(); looked = true) {
    DeliveryPtr delivery = lanes_.pop();
    if (delivery->crashes.condemned) {
      outcomes_.condemn(std::move(delivery), report);
      continue;
    }
    if (delivery->crashes.suspect && attempts_.in_flight() > 0) {
      lanes_.put_back(std::move(delivery));
      return nullptr;
    }
    const Monotonic expires = delivery->message.expires;
    if (expires != Monotonic::max() && report.time(clock_) >= expires) {
      outcomes_.expire(std::move(delivery), report);
    } else if (is_alone_with_key(delivery, report)) {
      return begin_attempt(std::move(delivery), report);
    }
  }
  // All that waited has ended without the service, so none of it can be the half-open attempt.
  if (looked && unfinished() == 0 && admission_.drop_half_open()) {
    report.add(event::HalfOpenEnded{false});
  }
  return nullptr;
}

bool DispatchState::is_alone_with_key(DeliveryPtr& delivery, DispatchReport& report) {
  using Answer = Deduplicator::Answer;
  if (!deduplicator_.is_on()) return true;
  switch (deduplicator_.ask(*delivery, report.time(clock_))) {
    case Answer::go:
      return true;
    case Answer::wait:
      deduplicator_.park(std::move(delivery));
      break;
    case Answer::handled:
      outcomes_.end_duplicate(std::move(delivery), report);
      break;
  }
  return false;
}

const trigger_message* DispatchState::begin_attempt(DeliveryPtr delivery, DispatchReport& report) {
  Attempt& attempt = attempts_.add(std::move(delivery));
  attempts_.begin(attempt, report.time(clock_));
  report.set_timer(attempt.deadline);
  if (pace_.limited()) {
    attempt.turn = pace_.begin(attempt.began);
    if (pace_.closed()) report.set_timer(pace_.opens_at());
  }
  attempt.tests_outage = admission_.begin_attempt();
  return &attempt.message;
}

// Only where one message after another is handled: else there are places enough to keep the worker
// busy. Where there is a rate, each waits for its turn.
const trigger_message* DispatchState::hand_ahead(std::size_t ahead) {
  if (deduplicator_.is_on()) return nullptr;  // what goes before it decides whether it may go
  const std::size_t in_flight = attempts_.in_flight();
  if (pace_.limited() || places_ != 1 || in_flight == 0 || in_flight > ahead) return nullptr;
  if (!admission_.unrestricted() || suspect_is_out() || stalled()) return nullptr;
  const Attempt* const begun = attempts_.last_begun();
  if (begun == nullptr || begun->state != Attempt::State::running) return nullptr;
  return prefetch_.hand_over(*begun);
}

void DispatchState::set_max_batch(std::size_t messages) {
  max_batch_ = messages;
  places_ = options_.concurrency * messages;
}

// ---- And back ----

bool DispatchState::take_answer(const trigger_message& message, plugin::Answer answer,
                                DispatchReport& report) {
  using State = Attempt::State;
  Attempt* const found = attempts_.find(message.token);
  if (found == nullptr) return false;
  Attempt& attempt = *found;
  const bool pending = answer.code == TRIGGER_PENDING;
  // A worker process may answer what was not asked.
  if (attempt.state == State::expired_pending || attempt.state == State::ahead ||
      (attempt.state == State::pending && pending)) {
    return false;
  }
  // A worker process has gone on with the next message where this was TRIGGER_OK, and has let go of
  // all of them where it was not: they go back before this one does, which goes before them.
  const bool goes_on = answer.code == TRIGGER_OK && attempt.state != State::overrunning;
  if (!goes_on) prefetch_.take_back();
  if (attempt.state == State::overrunning) {
    if (pending && !attempt.let_go) {
      outcomes_.expire_pending(attempt, report);
    } else {
      ++counts_.late_answers;
      outcomes_.time_out(attempt, report);
    }
  } else if (attempt.state == State::completed) {
    outcomes_.settle(attempt, std::move(attempt.answer), report);
  } else if (pending) {
    attempt.state = State::pending;
  } else {
    outcomes_.settle(attempt, std::move(answer), report);
  }
  if (goes_on && !prefetch_.empty()) {
    report.set_timer(prefetch_.begin_next(report.time(clock_)).deadline);
  }
  return true;
}

DispatchState::Completion DispatchState::complete(std::uint64_t token, plugin::Answer answer,
                                                  DispatchReport& report) {
  using State = Attempt::State;
  Attempt* const attempt = attempts_.find(token);
  if (attempt == nullptr) return {};
  switch (attempt->state) {
    case State::running:
      attempt->state = State::completed;
      attempt->answer = std::move(answer);
      return {.code = TRIGGER_OK, .changed = false};
    case State::pending:
      outcomes_.settle(*attempt, std::move(answer), report);
      return {.code = TRIGGER_OK, .changed = true};
    case State::overrunning:
      attempt->let_go = true;
      return {};
    case State::expired_pending:
      ++counts_.late_answers;
      outcomes_.forget_expired(*attempt);
      return {.code = TRIGGER_E_STALE, .changed = true};
    case State::completed:
    case State::ahead:
      break;
  }
  return {};
}

std::optional<Monotonic> DispatchState::extend(std::uint64_t token, std::uint32_t ms) {
  using State = Attempt::State;
  Attempt* const attempt = attempts_.find(token);
  if (attempt == nullptr || attempt->state == State::overrunning ||
      attempt->state == State::expired_pending) {
    return std::nullopt;
  }
  attempt->deadline = clock_.now() + Millis(ms);
  return attempt->deadline;
}

bool DispatchState::pass_time(Monotonic now, DispatchReport& report) {
  bool overruns = false;
  std::vector<Attempt*> expired;
  report.set_timer(attempts_.find_expired(now, expired));
  for (Attempt* const attempt : expired) {
    if (attempt->state == Attempt::State::pending) {
      outcomes_.expire_pending(*attempt, report);
    } else {
      outcomes_.overrun(*attempt, report);
      overruns = true;
    }
  }
  if (!expired.empty()) report.wake = true;  // what has expired has freed its place
  while (DeliveryPtr delivery = retries_.pop_due(now)) {
    outcomes_.go_again(std::move(delivery), report);
  }
  report.set_timer(retries_.next());
  if (release_delayed(now)) report.wake = true;
  report.set_timer(delays_.next());
  if (pace_.pass_time(now)) {
    report.wake = true;
  } else if (pace_.closed()) {
    report.set_timer(pace_.opens_at());
  }
  if (const auto until = admission_.outage().waits_until()) {
    if (*until > now) {
      report.set_timer(*until);
    } else if (admission_.outage().test_now()) {
      report.wake = true;
    }
  }
  return overruns;
}

void DispatchState::lose_worker(const plugin::WorkSource::Loss& loss, DispatchReport& report) {
  prefetch_.take_back();
  const bool hung = attempts_.overrunning() > 0 || admission_.probe().overruns(clock_.now());
  lose_probe(loss, report);
  outcomes_.lose_worker(loss, hung, report);
}

void DispatchState::lose_probe(const plugin::WorkSource::Loss& loss, DispatchReport& report) {
  Probe& probe = admission_.probe();
  const bool overran = probe.overruns(clock_.now());
  if (!probe.end()) return;
  if (loss.why == plugin::WorkSource::Loss::Why::not_begun) {
    probe.ask();
    return;
  }
  const std::string reason =
      overran ? fmt::format("its probe did not return within {}", format_duration(options_.timeout))
              : loss.reason;
  report.add(event::ProbeEnded{fail("{}", reason)});
}

// ---- The end of a trigger, or of its service ----

void DispatchState::end_expired_pending() {
  attempts_.for_each([this](Attempt& attempt) {
    if (attempt.state == Attempt::State::expired_pending) outcomes_.forget_expired(attempt);
  });
}

void DispatchState::revoke_pending(DispatchReport& report) {
  attempts_.for_each([&](Attempt& attempt) {
    if (attempt.state == Attempt::State::pending) outcomes_.revoke(attempt, report);
  });
}

// Once: what fails again waits as ever, or a stop would use up all of its attempts.
void DispatchState::begin_draining() {
  if (!admission_.begin_draining()) return;
  for (DeliveryPtr& delivery : retries_.take_retries()) lanes_.put_back(std::move(delivery));
}

bool DispatchState::nothing_left_before(Monotonic deadline) const {
  if (attempts_.in_flight() > 0 || outcomes_.dead_letters_under_way() > 0) return false;
  const auto outage_until = admission_.outage().waits_until();
  const bool waits = outage_until && *outage_until > deadline;
  const bool may_go = !admission_.held() && !waits && !stalled() &&
                      (!pace_.closed() || pace_.opens_at() <= deadline);
  if (may_go && (lanes_.has_ready() || delays_.next() <= deadline)) return false;
  return retries_.empty() || retries_.next() > deadline;
}

std::vector<DeliveryPtr> DispatchState::take_unfinished() {
  std::vector<DeliveryPtr> all = lanes_.take_all();
  for (DeliveryPtr& delivery : delays_.take_all()) all.push_back(std::move(delivery));
  for (DeliveryPtr& delivery : retries_.take_all()) all.push_back(std::move(delivery));
  for (DeliveryPtr& delivery : deduplicator_.take_parked()) all.push_back(std::move(delivery));
  attempts_.for_each([&all](const Attempt& attempt) {
    const bool in_hands =
        attempt.state == Attempt::State::running || attempt.state == Attempt::State::overrunning;
    if (!in_hands) return;
    attempt.delivery->set_last_reason("the service had not returned when the trigger stopped");
    attempt.delivery->failed = attempt.delivery->attempts.load();
    all.push_back(attempt.delivery);
  });
  std::sort(all.begin(), all.end(),
            [](const DeliveryPtr& a, const DeliveryPtr& b) { return a->place < b->place; });
  return all;
}

// ---- What there is ----

DispatcherStats DispatchState::stats() const {
  DispatcherStats stats = counts_;
  stats.queued = lanes_.size();
  stats.in_flight = attempts_.in_flight();
  stats.delayed = retries_.size() + outcomes_.dead_letters_under_way() + deduplicator_.parked();
  stats.waiting_for_delay = delays_.size();
  stats.expired_pending = attempts_.expired_pending();
  stats.rate_holds = pace_.holds();
  if (pace_.limited()) stats.rate_held = pace_.held(clock_.now());
  const inbox::KeyList::Stats keys = deduplicator_.stats(clock_.now());
  stats.keys = keys.keys;
  stats.keys_forgotten = keys.forgotten;
  return stats;
}

std::size_t DispatchState::unfinished() const {
  return lanes_.size() + attempts_.in_flight() + delays_.size() + retries_.size() +
         outcomes_.dead_letters_under_way() + attempts_.expired_pending() + deduplicator_.parked();
}

void DispatchState::for_each_unfinished(
    const std::function<void(const DeliveryPtr&)>& visit) const {
  lanes_.for_each(visit);
  delays_.for_each(visit);
  retries_.for_each(visit);
  deduplicator_.for_each_parked(visit);
  attempts_.for_each([&visit](const Attempt& attempt) { visit(attempt.delivery); });
}

}  // namespace triggerd::dispatch
