// Dispatcher: for the link of a worker process, which takes messages without waiting, takes some
// ahead, and may lose all it has at once.
#include <algorithm>

#include "base/units.hpp"
#include "dispatch/dispatcher_attempt.hpp"

namespace triggerd::dispatch {

plugin::WorkSource::Taken Dispatcher::poll(std::size_t ahead) {
  Report report;
  Taken taken;
  {
    MutexLock lock(mutex_);
    taken.message = begin_wanted_probe();
    if (taken.message == nullptr) taken.message = begin_next(report);
    if (taken.message == nullptr) {
      taken.message = hand_ahead(ahead);
      taken.follows = taken.message != nullptr;
    }
    listening_ = taken.message == nullptr;
  }
  tell(report);
  if (taken.message == nullptr) sink_.idle();
  return taken;
}

void Dispatcher::listen(std::function<void()> waker) {
  MutexLock lock(mutex_);
  waker_ = std::move(waker);
  listening_ = true;
  wake_link();
}

bool Dispatcher::overdue() const {
  if (overdue_ > 0) return true;
  if (!probe_out_) return false;  // asked at every turn of the link, which is not to need the lock
  MutexLock lock(mutex_);
  return probe_is_overdue();
}

void Dispatcher::wake_link() {
  if (!waker_ || !std::exchange(listening_, false)) return;
  waker_();
}

bool Dispatcher::one_runs_alone() const {
  if (in_flight_ == 0 || last_begun_ >= attempts_.size()) return false;
  const Attempt& attempt = *attempts_[last_begun_];
  return attempt.in_use && attempt.state != Attempt::State::late && attempt.delivery->crash_suspect;
}

// ---- Ahead ----

// Only where one message after another is handled: else there are places enough to keep the worker
// busy.
const trigger_message* Dispatcher::hand_ahead(std::size_t ahead) {
  if (places_ != 1 || in_flight_ == 0 || in_flight_ > ahead) return nullptr;
  if (way_.state != Way::State::open) return nullptr;
  if (gate_closed_ || held_ || one_runs_alone() || late_ >= options_.queue_capacity) return nullptr;
  const Attempt& begun = *attempts_[last_begun_];
  if (!begun.in_use || begun.state != Attempt::State::running) return nullptr;
  const Attempt& last = ahead_.empty() ? begun : *attempts_[ahead_.back()];
  DeliveryPtr delivery = lanes_.pop_behind(*last.delivery);
  if (!delivery) return nullptr;
  if (delivery->crash_suspect || delivery->message.expires != Monotonic::max()) {
    lanes_.put_back(std::move(delivery));
    return nullptr;
  }
  Attempt& attempt = new_attempt(std::move(delivery));
  ahead_.push_back(static_cast<std::uint32_t>(attempt.message.token));
  return &attempt.message;
}

// The one before them was answered. The worker has gone on with the next one where that was
// TRIGGER_OK, and has let go of all of them where it was not.
void Dispatcher::go_on_behind(bool ok) {
  if (ok) {
    begin(*attempts_[ahead_.front()], timer_.clock().now());
    ahead_.pop_front();
    return;
  }
  while (!ahead_.empty()) {
    Attempt& attempt = *attempts_[ahead_.back()];
    ahead_.pop_back();
    --in_flight_;
    lanes_.put_back(std::move(attempt.delivery));
    end_attempt(attempt);
  }
}

// ---- The worker is no more ----

// As if its attempt had not been.
void Dispatcher::give_back(Attempt& attempt, Report& report) {
  try_again(attempt);
  DeliveryPtr delivery = std::move(attempt.delivery);
  end_attempt(attempt);
  --in_flight_;
  --delivery->attempts;
  end_trial(false, report);
  lanes_.put_back(std::move(delivery));
}

void Dispatcher::lose_probe(const Loss& loss, Report& report) {
  if (!probe_deadline_) return;
  const bool overdue = probe_is_overdue();
  probe_deadline_.reset();
  probe_out_ = false;
  if (loss.why == Loss::Why::not_begun) {
    probe_wanted_ = true;
    return;
  }
  std::string reason = overdue ? fmt::format("its probe has not returned within {}",
                                             format_duration(options_.timeout))
                               : loss.reason;
  report.events.emplace_back(event::ProbeEnded{fail("{}", reason)});
}

// Whom it counts against. A call that is overdue has ended the worker, and nobody else has. Else it
// is the one message that was in its hands. Of several, nobody can say which: none is counted, and
// each goes again with nothing beside it, so that the next time it can be said.
void Dispatcher::lost(const Loss& loss) {
  Report report;
  std::vector<DeliveryPtr> finished;
  {
    MutexLock lock(mutex_);
    go_on_behind(false);
    std::vector<Attempt*> open;
    const bool hung = overdue_ > 0 || probe_is_overdue();
    lose_probe(loss, report);
    for (const auto& attempt : attempts_) {
      if (!attempt->in_use) continue;
      switch (attempt->state) {
        case Attempt::State::completed:
          settle(*attempt, std::move(attempt->answer), report);
          break;
        case Attempt::State::overdue:
          time_out(*attempt, report);
          break;
        case Attempt::State::late:
          if (loss.why != Loss::Why::crashed) break;
          --late_;
          end_attempt(*attempt);
          stall_told_ = false;
          break;
        case Attempt::State::pending:
          if (loss.why == Loss::Why::crashed) open.push_back(attempt.get());
          break;
        case Attempt::State::running:
        case Attempt::State::ahead:
          open.push_back(attempt.get());
      }
      if (report.finished) finished.push_back(std::move(report.finished));
    }
    // The last one first: each goes before those that are there.
    std::sort(open.begin(), open.end(), [](const Attempt* a, const Attempt* b) {
      return a->message.token > b->message.token;
    });
    const bool counts = loss.why == Loss::Why::crashed && !hung;
    for (Attempt* const attempt : open) {
      const DeliveryPtr delivery = attempt->delivery;
      if (counts && open.size() == 1) {
        try_again(*attempt);
        settle(*attempt, {.code = TRIGGER_RETRY, .reason = loss.reason}, report);
      } else {
        give_back(*attempt, report);
      }
      if (counts) delivery->crash_suspect = true;
    }
    if (may_take()) wake_workers();
    note_room(report);
    quiet_.notify_all();
  }
  for (const DeliveryPtr& delivery : finished) sink_.finished(*delivery, false);
  tell(report);
}

}  // namespace triggerd::dispatch
