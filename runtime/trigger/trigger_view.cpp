// Trigger as whoever administers the runtime sees it.
#include <algorithm>

#include "trigger/trigger.hpp"

namespace triggerd::trigger {

void Trigger::fill_in(management::TriggerStatus& status) const {
  status.alias = config_.alias;
  {
    MutexLock lock(state_mutex_);
    if (state_) {
      using State = inbox::TriggerState::State;
      status.state = state_->state == State::disabled ? management::TriggerStatus::State::disabled
                                                      : management::TriggerStatus::State::suspended;
      status.state_by = state_->changed_by;
      status.state_reason = state_->reason;
      status.state_since = state_->since;
    }
    status.not_running_reason = start_failure_;
  }
  const management::ConnectionView connection = connection_view();
  status.running = running_;
  if (status.running) {
    status.not_running_reason.clear();
  } else if (disabled_) {
    status.not_running_reason = "disabled";
  } else if (suspended_) {
    status.not_running_reason = "suspended";
  } else if (status.not_running_reason.empty() && !serves_) {
    status.not_running_reason = "its service is being started";
  } else if (status.not_running_reason.empty()) {
    status.not_running_reason = connection.reason.empty() ? connection.state : connection.reason;
  }
  for (const mqtt::Grant& grant : watch_.grants()) {
    status.filters.push_back({.filter = grant.filter,
                              .asked_qos = grant.asked_qos,
                              .granted_qos = grant.granted_qos,
                              .refusal = grant.refusal});
    if (!status.running && !grant.refusal.empty() && connection.state == "up") {
      status.not_running_reason = "the server refused \"" + grant.filter + "\"" + grant.refusal;
    }
  }
  if (status.filters.empty()) {
    for (const config::Topic& topic : connection_options().topics) {
      status.filters.push_back(
          {.filter = topic.filter, .asked_qos = topic.qos, .granted_qos = {}, .refusal = {}});
    }
  }
  const dispatch::Dispatcher::Stats stats = dispatcher_.stats();
  management::TriggerCounters& counters = status.counters;
  std::copy(stats.received_qos.begin(), stats.received_qos.end(), counters.received_qos);
  counters.received = stats.received;
  counters.ok = stats.ok;
  counters.retried = stats.retried;
  counters.rejected = stats.rejected;
  counters.exhausted = stats.exhausted;
  counters.timed_out = stats.timed_out;
  counters.invalid_verdicts = stats.invalid_verdicts;
  counters.unavailable = stats.unavailable;
  counters.late_answers = stats.late_answers;
  counters.expired = stats.expired;
  counters.discarded = stats.discarded;
  counters.inline_calls = stats.inline_calls;
  counters.not_brief = stats.not_brief;
  counters.dead_letters_made = dead_letters_.written();
  counters.refused = refused_.load(std::memory_order_relaxed);
  status.queued = stats.queued;
  status.in_flight = stats.in_flight;
  status.delayed = stats.delayed;
  status.late = stats.expired_pending;
  if (const auto outage = dispatcher_.outage()) {
    status.unavailable_reason = outage->reason;
    status.unavailable_since = outage->since;
  }
  dispatch::Dispatcher::Times times = dispatcher_.times();
  status.handle = std::move(times.handle);
  status.delivery = std::move(times.delivery);
  status.batch = std::move(times.batch);
  MutexLock lock(pause_mutex_);
  status.paused = reading_paused_;
  status.pause_reason = pause_reason();
  Monotonic::duration paused = paused_before_;
  if (reading_paused_) paused += std::chrono::steady_clock::now() - paused_since_;
  status.paused_seconds = std::chrono::duration<double>(paused).count();
}

std::size_t Trigger::acks_held() const {
  if (!holds_) return 0;
  std::size_t held = 0;
  dispatcher_.for_each_unfinished([&held](const dispatch::DeliveryPtr& delivery) {
    if (delivery->message.qos > 0 && !delivery->acknowledged()) ++held;
  });
  return held;
}

std::vector<plugin::Metric> Trigger::metrics() const {
  MutexLock lock(monitor_mutex_);
  return counting_ != nullptr ? counting_->metrics() : std::vector<plugin::Metric>();
}

}  // namespace triggerd::trigger
