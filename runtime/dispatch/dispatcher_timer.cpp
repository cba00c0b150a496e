// Dispatcher: what is due - deadlines, retries, a try of what was away - and telling the sink.
#include <algorithm>
#include <utility>

#include "dispatch/deaths.hpp"
#include "dispatch/dispatcher_attempt.hpp"

namespace triggerd::dispatch {
namespace {

// How long a dead letter that could not be written waits for the next try.
constexpr Millis kDeadLetterRetry{1'000};

}  // namespace

// ---- Deadlines and retries ----

void Dispatcher::on_timer() {
  Report report;
  {
    MutexLock lock(mutex_);
    armed_ = {};
    const Monotonic now = timer_.clock().now();
    Monotonic next = Monotonic::max();
    std::vector<Attempt*> expired;
    for (const auto& attempt : attempts_) {
      if (!attempt->in_use) continue;
      const bool waits =
          attempt->state == Attempt::State::running || attempt->state == Attempt::State::pending;
      if (!waits) continue;
      if (attempt->deadline <= now) {
        expired.push_back(attempt.get());
      } else {
        next = std::min(next, attempt->deadline);
      }
    }
    for (Attempt* attempt : expired) {
      if (attempt->state == Attempt::State::pending) {
        make_late(*attempt, report);
      } else {
        attempt->state = Attempt::State::overdue;
        ++overdue_;
        attempt->delivery->failed = attempt->delivery->attempts.load();
        // It may never return, and others may be tried meanwhile.
        if (std::exchange(attempt->tries, false)) {
          close_way(true, no_verdict(), 0, report);
        }
        listening_ = true;  // whether or not it had nothing: it is to look at overdue()
        wake_link();
        report.events.emplace_back(event::Overrunning{attempt->delivery});
      }
    }
    // What is late has freed its place.
    if (!expired.empty() && may_take()) wake_workers();
    while (!delayed_.empty() && delayed_.begin()->first <= now) {
      DeliveryPtr delivery = std::move(delayed_.begin()->second);
      delayed_.erase(delayed_.begin());
      go_again(std::move(delivery), report);
    }
    if (!delayed_.empty()) next = std::min(next, delayed_.begin()->first);
    if (way_.state == Way::State::closed && way_.next <= now) try_way();
    if (way_.state == Way::State::closed) next = std::min(next, way_.next);
    if (const auto watch = watch_inline(now, report)) next = std::min(next, *watch);
    if (next != Monotonic::max()) arm(next);
    note_room(report);
    quiet_.notify_all();
  }
  tell(report);
}

void Dispatcher::go_again(DeliveryPtr delivery, Report& report) {
  if (delivery->unwritten_dead_letter) {
    ++writing_dead_letters_;
    std::string reason = *std::exchange(delivery->unwritten_dead_letter, nullptr);
    report.dead_letters.emplace_back(std::move(delivery), std::move(reason));
    return;
  }
  lanes_.put_back(std::move(delivery));
  if (may_take()) wake_workers();
}

void Dispatcher::arm(Monotonic when) {
  if (armed_.serial != 0 && armed_.when <= when) return;
  timer_.cancel(armed_);
  armed_ = timer_.at(when, tasks_([this] { on_timer(); }));
}

// ---- Telling ----

void Dispatcher::tell(Report& report) {
  if (report.finished) sink_.finished(*report.finished, report.idle_next);
  if (report.empty()) return;
  for (const std::uint64_t identity : report.survived) options_.deaths->forget(identity);
  for (const DispatchEvent& event : report.events) sink_.on_event(event);
  if (report.room_changed) sink_.room_changed();
  if (report.dead_letters.empty()) return;
  if (is_inline_here()) {
    write_on_timer(report);
    return;
  }
  Report after;
  for (auto& [delivery, reason] : report.dead_letters) {
    const bool written = sink_.write_dead_letter(*delivery, reason);
    if (written && delivery->identity != 0) {
      if (delivery->condemned) {
        options_.deaths->became_dead_letter(delivery->identity);
      } else {
        options_.deaths->forget(delivery->identity);
      }
    }
    MutexLock lock(mutex_);
    --writing_dead_letters_;
    if (written) {
      ++(delivery->exhausted || delivery->condemned ? counts_.exhausted : counts_.rejected);
      lanes_.release(*delivery);
    } else {
      delivery->unwritten_dead_letter = std::make_unique<const std::string>(std::move(reason));
      delayed_.emplace(timer_.clock().now() + kDeadLetterRetry, delivery);
      arm(timer_.clock().now() + kDeadLetterRetry);
    }
    if (may_take()) wake_workers();
    note_room(after);
    quiet_.notify_all();
  }
  if (after.room_changed) sink_.room_changed();
}

// The receive thread waits for no disk.
void Dispatcher::write_on_timer(Report& report) {
  MutexLock lock(mutex_);
  const Monotonic now = timer_.clock().now();
  for (auto& [delivery, reason] : report.dead_letters) {
    --writing_dead_letters_;
    delivery->unwritten_dead_letter = std::make_unique<const std::string>(std::move(reason));
    delayed_.emplace(now, std::move(delivery));
  }
  arm(now);
}

void Dispatcher::note_room(Report& report) {
  const std::size_t inside = unfinished();
  const bool full =
      full_ ? inside > options_.queue_capacity / 2 : inside >= options_.queue_capacity;
  if (full == full_) return;
  full_ = full;
  report.room_changed = true;
}

void Dispatcher::note_stall(Report& report) {
  if (late_ < options_.queue_capacity || stall_told_) return;
  stall_told_ = true;
  report.events.emplace_back(event::Stalled{late_});
}

}  // namespace triggerd::dispatch
