// Dispatcher: what is due - deadlines, retries, a try of what was away - and telling the sink.
#include <algorithm>
#include <utility>

#include "dispatch/deaths.hpp"
#include "dispatch/dispatcher_attempt.hpp"

namespace triggerd::dispatch {
namespace {

// How long a dead letter that could not be written waits for the next try.
constexpr Millis kBurialRetry{1'000};

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
        report.others.emplace_back(
            [delivery = attempt->delivery](DeliverySink& sink) { sink.overdue(*delivery); });
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
  if (delivery->burial) {
    ++burying_;
    std::string reason = *std::exchange(delivery->burial, nullptr);
    report.burials.emplace_back(std::move(delivery), std::move(reason));
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
  for (const auto& other : report.others) other(sink_);
  if (report.burials.empty()) return;
  if (is_inline_here()) {
    bury_on_timer(report);
    return;
  }
  Report after;
  for (auto& [delivery, reason] : report.burials) {
    const bool buried = sink_.bury(*delivery, reason);
    if (buried && delivery->identity != 0) {
      if (delivery->condemned) {
        options_.deaths->buried(delivery->identity);
      } else {
        options_.deaths->forget(delivery->identity);
      }
    }
    MutexLock lock(mutex_);
    --burying_;
    if (buried) {
      ++(delivery->exhausted || delivery->condemned ? counts_.exhausted : counts_.rejected);
      lanes_.release(*delivery);
    } else {
      delivery->burial = std::make_unique<const std::string>(std::move(reason));
      delayed_.emplace(timer_.clock().now() + kBurialRetry, delivery);
      arm(timer_.clock().now() + kBurialRetry);
    }
    if (may_take()) wake_workers();
    note_room(after);
    quiet_.notify_all();
  }
  for (const auto& other : after.others) other(sink_);
}

// The receive thread waits for no disk.
void Dispatcher::bury_on_timer(Report& report) {
  MutexLock lock(mutex_);
  const Monotonic now = timer_.clock().now();
  for (auto& [delivery, reason] : report.burials) {
    --burying_;
    delivery->burial = std::make_unique<const std::string>(std::move(reason));
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
  report.others.emplace_back([](DeliverySink& sink) { sink.room_changed(); });
}

void Dispatcher::note_stall(Report& report) {
  if (late_ < options_.queue_capacity || stall_told_) return;
  stall_told_ = true;
  report.others.emplace_back([late = late_](DeliverySink& sink) { sink.stalled(late); });
}

}  // namespace triggerd::dispatch
