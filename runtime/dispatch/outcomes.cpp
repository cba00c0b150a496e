#include "dispatch/outcomes.hpp"

#include <algorithm>
#include <chrono>
#include <utility>
#include <vector>

#include "base/units.hpp"

namespace triggerd::dispatch {
namespace {

std::uint64_t nanoseconds_of(Monotonic::duration duration) {
  return static_cast<std::uint64_t>(std::max<std::int64_t>(
      std::chrono::duration_cast<std::chrono::nanoseconds>(duration).count(), 0));
}

std::string no_verdict_within(Millis timeout) {
  return fmt::format("no verdict within {}", format_duration(timeout));
}

const std::string& or_no_reason(const std::string& reason) {
  static const std::string none = "the service gave no reason";
  return reason.empty() ? none : reason;
}

// What the message had ended before does not matter any more.
void survives(const Delivery& delivery, DispatchReport& report) {
  if (delivery.crashes.identity != 0) report.add_survivor(delivery.crashes.identity);
}

}  // namespace

Outcomes::Outcomes(const Parts& parts)
    : options_(parts.options),
      clock_(parts.clock),
      random_(parts.random),
      lanes_(parts.lanes),
      attempts_(parts.attempts),
      retries_(parts.retries),
      deduplicator_(parts.deduplicator),
      admission_(parts.admission),
      pace_(parts.pace),
      counts_(parts.counts) {}

// ---- Verdicts ----

void Outcomes::settle(Attempt& attempt, plugin::Answer answer, DispatchReport& report) {
  const Monotonic now = report.time(clock_);
  const Monotonic::duration took = now - attempt.began;
  const bool tested = attempt.tests_outage;
  const bool unseen = answer.unseen;
  // It may not have gone that far, or not at all.
  if (answer.code == TRIGGER_REJECT || unseen) test_again(attempt);
  if (unseen && tested) report.wake = true;  // another one does
  if (unseen && admission_.half_open()) try_another(report);
  if (unseen && pace_.limited()) give_back_turn(attempt, report);
  DeliveryPtr delivery = attempts_.remove(attempt);
  delivery->took = took;
  if (!unseen) handle_times_.add(nanoseconds_of(took));
  if (answer.code == TRIGGER_OK || answer.code == TRIGGER_REJECT) {
    delivery_times_.add(nanoseconds_of(now - delivery->arrived));
  }
  delivery->set_last_reason(std::move(answer.reason));
  const bool was_suspect = std::exchange(delivery->crashes.suspect, false);
  Millis retry_after(answer.retry_after_ms);
  switch (answer.code) {
    case TRIGGER_OK:
      if (unseen) {
        filter(std::move(delivery), was_suspect, report);
      } else {
        finish(std::move(delivery), tested, was_suspect, report);
      }
      return;
    case TRIGGER_REJECT:
      reject(std::move(delivery), report);
      if (tested) report.wake = true;  // another one does
      return;
    case TRIGGER_UNAVAILABLE:
      delivery->crashes.suspect = was_suspect;  // nothing is known of it that was not
      put_off(std::move(delivery), tested, retry_after, report);
      return;
    case TRIGGER_RETRY:
      break;
    default:
      ++counts_.invalid_verdicts;
      delivery->set_last_reason(
          fmt::format("the service returned {}, which is not a verdict", answer.code));
      retry_after = Millis(0);
  }
  if (tested) end_outage(report);  // it got through, and failed over this message
  retry_or_exhaust(std::move(delivery), retry_after, report);
}

void Outcomes::finish(DeliveryPtr delivery, bool tested, bool was_suspect, DispatchReport& report) {
  ++counts_.ok;
  Deduplicator::End end = deduplicator_.handled(*delivery, report.time(clock_));
  if (!end.parked.empty()) report.wake = true;  // what is behind them may go
  for (DeliveryPtr& same : end.parked) end_duplicate(std::move(same), report);
  if (end.is_first_too_many) report.add(event::TooManyKeys{});
  lanes_.release(*delivery);
  end_half_open(true, report);
  if (tested) end_outage(report);
  survives(*delivery, report);
  if (was_suspect) report.wake = true;
  report.add_finished(std::move(delivery));
}

// The message has ended without having been handled. Its lane goes on, and those that waited for it
// are before all others of theirs again: the first that goes has the key. True: there are such.
bool Outcomes::let_others_go(Delivery& delivery) {
  std::vector<DeliveryPtr> parked = deduplicator_.give_up(delivery);
  lanes_.release(delivery);
  std::for_each(parked.rbegin(), parked.rend(),
                [this](DeliveryPtr& each) { lanes_.put_back(std::move(each)); });
  return !parked.empty();
}

// The half-open attempt has told nothing. Another message is one; if none is there, it is over.
void Outcomes::try_another(DispatchReport& report) {
  if (lanes_.size() == 0) {
    end_half_open(false, report);
    return;
  }
  admission_.repeat_half_open();
  report.wake = true;
}

// The service has not seen it, so another message may go in its place.
void Outcomes::give_back_turn(const Attempt& attempt, DispatchReport& report) {
  pace_.give_back(attempt.turn);
  if (pace_.pass_time(report.time(clock_))) {
    report.wake = true;
  } else if (pace_.closed()) {
    report.set_timer(pace_.opens_at());
  }
}

// It was not for the service, of which nothing is learned.
void Outcomes::filter(DeliveryPtr delivery, bool was_suspect, DispatchReport& report) {
  ++counts_.filtered;
  delivery->lot = Delivery::Lot::filtered;
  if (let_others_go(*delivery) || was_suspect) report.wake = true;
  survives(*delivery, report);
  report.add_finished(std::move(delivery));
}

void Outcomes::reject(DeliveryPtr delivery, DispatchReport& report) {
  if (delivery->last_reason().empty()) delivery->set_last_reason("rejected without a reason");
  end_half_open(true, report);  // it is this message that is refused
  std::string reason = delivery->last_reason();
  make_dead_letter(std::move(delivery), std::move(reason), report);
}

void Outcomes::put_off(DeliveryPtr delivery, bool tested, Millis retry_after,
                       DispatchReport& report) {
  ++counts_.unavailable;
  const std::uint32_t attempt = delivery->attempts--;
  const std::string reason = or_no_reason(delivery->last_reason());
  report.add(event::PutOff{delivery, attempt, reason});
  if (admission_.held()) {
    end_half_open(false, report);
  } else {
    begin_outage(tested, reason, retry_after, report);
  }
  lanes_.put_back(std::move(delivery));
  report.wake = true;
}

void Outcomes::retry_or_exhaust(DeliveryPtr delivery, Millis retry_after, DispatchReport& report) {
  if (admission_.half_open()) {
    fail_half_open(std::move(delivery), report);
    return;
  }
  if (delivery->attempts >= options_.retry.max_attempts) {
    exhaust(std::move(delivery), report);
    return;
  }
  ++counts_.retried;
  delivery->failed = delivery->attempts.load();
  const Millis wait = retry_after > Millis(0)
                          ? retry_after
                          : options_.retry.backoff.delay(delivery->attempts, random_());
  report.add(event::Retrying{delivery, delivery->attempts, wait, delivery->last_reason()});
  const Monotonic due = clock_.now() + wait;
  retries_.add(due, std::move(delivery));
  report.set_timer(due);
}

// The trigger's trouble, not this message's.
void Outcomes::fail_half_open(DeliveryPtr delivery, DispatchReport& report) {
  ++counts_.retried;
  delivery->attempts = 0;
  delivery->failed = 0;
  end_half_open(false, report);
  lanes_.put_back(std::move(delivery));
}

void Outcomes::exhaust(DeliveryPtr delivery, DispatchReport& report) {
  std::string reason = fmt::format("out of attempts ({}): {}", delivery->attempts.load(),
                                   or_no_reason(delivery->last_reason()));
  switch (options_.on_exhausted) {
    case config::OnExhausted::dead_letter:
      delivery->lot = Delivery::Lot::exhausted;
      make_dead_letter(std::move(delivery), std::move(reason), report);
      break;
    case config::OnExhausted::discard:
      ++counts_.discarded;
      if (let_others_go(*delivery)) report.wake = true;
      survives(*delivery, report);
      report.add(event::Discarded{std::move(delivery), std::move(reason)});
      break;
    case config::OnExhausted::suspend:
      ++counts_.retried;
      admission_.suspend();
      delivery->attempts = 0;
      delivery->failed = 0;
      report.add(event::Suspended{delivery, std::move(reason)});
      lanes_.put_back(std::move(delivery));
      break;
  }
}

// ---- No verdict ----

void Outcomes::overrun(Attempt& attempt, DispatchReport& report) {
  attempts_.mark_overrunning(attempt);
  attempt.delivery->failed = attempt.delivery->attempts.load();
  // It may never return, and others may be tried meanwhile.
  if (std::exchange(attempt.tests_outage, false)) {
    begin_outage(true, no_verdict_within(options_.timeout), Millis(0), report);
  }
  report.add(event::Overrunning{attempt.delivery});
}

void Outcomes::time_out(Attempt& attempt, DispatchReport& report) {
  const bool tested = attempt.tests_outage;
  DeliveryPtr delivery = attempts_.remove(attempt);
  ++counts_.timed_out;
  delivery->set_last_reason(no_verdict_within(options_.timeout));
  if (tested) begin_outage(true, delivery->last_reason(), Millis(0), report);
  retry_or_exhaust(std::move(delivery), Millis(0), report);
}

void Outcomes::expire_pending(Attempt& attempt, DispatchReport& report) {
  attempts_.mark_expired_pending(attempt);
  ++counts_.timed_out;
  const DeliveryPtr delivery = attempt.delivery;
  delivery->set_last_reason(no_verdict_within(options_.timeout));
  if (std::exchange(attempt.tests_outage, false)) {
    begin_outage(true, delivery->last_reason(), Millis(0), report);
  }
  retry_or_exhaust(delivery, Millis(0), report);
  note_stall(report);
}

void Outcomes::forget_expired(Attempt& attempt) {
  (void)attempts_.remove(attempt);
  stall_told_ = false;
}

void Outcomes::note_stall(DispatchReport& report) {
  if (attempts_.expired_pending() < options_.queue_capacity || stall_told_) return;
  stall_told_ = true;
  report.add(event::Stalled{attempts_.expired_pending()});
}

void Outcomes::revoke(Attempt& attempt, DispatchReport& report) {
  test_again(attempt);
  attempts_.mark_expired_pending(attempt);
  --attempt.delivery->attempts;
  attempt.delivery->set_last_reason("the instance was stopped before the service completed it");
  retries_.add(clock_.now(), attempt.delivery);
  report.set_timer(clock_.now());
}

// Decides which messages the loss counts against. If a call was overrunning, that call ended the
// worker, and its message alone is charged. Otherwise it is the message that the worker had, if it
// had one. If it had several, nothing tells which of them ended it: none is charged, and each is
// tried again with nothing beside it, so that the next loss has one suspect.
void Outcomes::lose_worker(const plugin::WorkSource::Loss& loss, bool hung,
                           DispatchReport& report) {
  using Why = plugin::WorkSource::Loss::Why;
  std::vector<Attempt*> open;
  attempts_.for_each([&](Attempt& attempt) {
    switch (attempt.state) {
      case Attempt::State::completed:
        settle(attempt, std::move(attempt.answer), report);
        break;
      case Attempt::State::overrunning:
        time_out(attempt, report);
        break;
      case Attempt::State::expired_pending:
        if (loss.why == Why::crashed) forget_expired(attempt);
        break;
      case Attempt::State::pending:
        if (loss.why == Why::crashed) open.push_back(&attempt);
        break;
      case Attempt::State::running:
      case Attempt::State::ahead:
        open.push_back(&attempt);
    }
  });
  // The last one first: each goes before those that are there.
  std::sort(open.begin(), open.end(),
            [](const Attempt* a, const Attempt* b) { return a->message.token > b->message.token; });
  const bool counts = loss.why == Why::crashed && !hung;
  for (Attempt* const attempt : open) {
    const DeliveryPtr delivery = attempt->delivery;
    if (counts && open.size() == 1) {
      test_again(*attempt);
      settle(*attempt, {.code = TRIGGER_RETRY, .retry_after_ms = 0, .reason = loss.reason}, report);
    } else {
      give_back(*attempt, report);
    }
    if (counts) delivery->crashes.suspect = true;
  }
  report.wake = true;
}

// As if its attempt had not been.
void Outcomes::give_back(Attempt& attempt, DispatchReport& report) {
  test_again(attempt);
  DeliveryPtr delivery = attempts_.remove(attempt);
  --delivery->attempts;
  end_half_open(false, report);
  lanes_.put_back(std::move(delivery));
}

void Outcomes::end_half_open(bool handled, DispatchReport& report) {
  if (admission_.end_half_open()) report.add(event::HalfOpenEnded{handled});
}

// ---- What the service needs is away ----

// The attempt that was to find out whether the service's need is met did not; another one will.
// Whoever frees the place of this one wakes a worker.
void Outcomes::test_again(Attempt& attempt) {
  if (std::exchange(attempt.tests_outage, false)) admission_.outage().test_again();
}

void Outcomes::begin_outage(bool tested, const std::string& reason, Millis retry_after,
                            DispatchReport& report) {
  auto unavailable = admission_.unavailable(tested, reason, retry_after);
  if (!unavailable) return;
  report.add(std::move(*unavailable));
  if (const auto until = admission_.outage().waits_until()) {
    report.set_timer(*until);
  } else {
    report.wake = true;
  }
}

void Outcomes::end_outage(DispatchReport& report) {
  auto available = admission_.outage().end();
  if (!available) return;
  report.add(*available);
  report.wake = true;
}

// ---- Messages that no service sees, dead letters, retries ----

void Outcomes::condemn(DeliveryPtr delivery, DispatchReport& report) {
  std::string reason = *delivery->crashes.condemned;
  make_dead_letter(std::move(delivery), std::move(reason), report);
}

void Outcomes::expire(DeliveryPtr delivery, DispatchReport& report) {
  ++counts_.expired;
  if (let_others_go(*delivery)) report.wake = true;
  survives(*delivery, report);
  report.add(event::Expired{std::move(delivery)});
}

void Outcomes::end_duplicate(DeliveryPtr delivery, DispatchReport& report) {
  ++counts_.duplicates;
  lanes_.release(*delivery);
  survives(*delivery, report);
  report.add(event::Duplicate{std::move(delivery)});
}

void Outcomes::go_again(DeliveryPtr delivery, DispatchReport& report) {
  if (delivery->unwritten_dead_letter) {
    std::string reason = *std::exchange(delivery->unwritten_dead_letter, nullptr);
    make_dead_letter(std::move(delivery), std::move(reason), report);
    return;
  }
  lanes_.put_back(std::move(delivery));
  report.wake = true;
}

void Outcomes::make_dead_letter(DeliveryPtr delivery, std::string reason, DispatchReport& report) {
  ++dead_letters_under_way_;
  report.add_dead_letter(std::move(delivery), std::move(reason));
}

void Outcomes::dead_letter_written(const DeliveryPtr& delivery) {
  --dead_letters_under_way_;
  ++(delivery->lot == Delivery::Lot::exhausted || delivery->crashes.condemned ? counts_.exhausted
                                                                              : counts_.rejected);
  (void)let_others_go(*delivery);
}

void Outcomes::dead_letter_waits(DeliveryPtr delivery, std::string reason, Monotonic again) {
  --dead_letters_under_way_;
  delivery->unwritten_dead_letter = std::make_unique<const std::string>(std::move(reason));
  retries_.add(again, std::move(delivery));
}

}  // namespace triggerd::dispatch
