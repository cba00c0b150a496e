// Trigger while another generation of its plugin takes over.
#include <algorithm>

#include "trigger/trigger.hpp"

namespace triggerd::trigger {

bool Trigger::uses(const plugin::Generation& generation) const {
  const auto asked = monitor();
  return (instance_ && &instance_->generation() == &generation) ||
         (asked && &asked->generation() == &generation);
}

// ---- What serves ----

Result<std::shared_ptr<Monitor>> Trigger::make_monitor(
    const std::shared_ptr<plugin::Generation>& generation) {
  return Monitor::make(generation, config_,
                       [this](const Result<>& outcome) { probe_ended(outcome); });
}

void Trigger::serve_with(Serving serving) {
  instance_ = std::move(serving.instance);
  can_be_probed_ = instance_->can_be_probed();
  dispatcher_.set_max_batch(instance_->max_batch());
  MutexLock lock(monitor_mutex_);
  counting_ = instance_.get();
  service_name_ = instance_->service_name();
  monitor_ = std::move(serving.monitor);
}

std::string Trigger::service_name() const {
  MutexLock lock(monitor_mutex_);
  return service_name_;
}

std::shared_ptr<Monitor> Trigger::monitor() const {
  MutexLock lock(monitor_mutex_);
  return monitor_;
}

// After an error nothing of it runs.
Result<> Trigger::start_serving(plugin::Instance& instance, Monitor* monitor) {
  if (auto started = instance.start(); !started) return started;
  Result<> running;
  if (monitor != nullptr) running = monitor->start();
  if (running) running = instance.run_workers(dispatcher_, config_.concurrency);
  if (running) return {};
  if (monitor != nullptr) (void)monitor->stop(std::chrono::steady_clock::now());
  instance.stop();
  return running;
}

// What the service saved for its successor. One that has not come back from a probe is left alone,
// and leaves nothing.
Result<std::optional<plugin::SavedState>> Trigger::stop_serving(plugin::Instance& instance,
                                                                Monotonic deadline) {
  const bool joined = instance.join_workers(deadline);
  dispatcher_.revoke_pending();
  if (!joined) {
    instance.abandon();
    if (suspended_) arm_monitor();  // its probe will not answer
    return std::nullopt;
  }
  instance.stop();
  if (!instance.abandoned()) dispatcher_.end_expired_pending();
  return instance.save();
}

// ---- Successors ----

Result<> Trigger::make_successor(const plugin::Generation& old,
                                 const std::shared_ptr<plugin::Generation>& next) {
  if (&instance_->generation() == &old) {
    auto made = next->create(config_, *this);
    if (!made) return tl::make_unexpected(made.error());
    successor_.instance = std::move(*made);
  }
  if (const auto asked = monitor(); asked && &asked->generation() == &old) {
    auto made = make_monitor(next);
    if (!made) return tl::make_unexpected(made.error());
    successor_.monitor = std::move(*made);
  }
  return {};
}

void Trigger::drop_successor() {
  successor_ = {};
}

void Trigger::open_gate() {
  dispatcher_.unquiesce();
}

void Trigger::serve_again(Monotonic deadline) {
  const auto asked = monitor();
  if (asked) (void)asked->stop(deadline);  // where the failure came after its start
  started_ = false;
  (void)start_service();
}

Result<> Trigger::hand_over(Monotonic deadline, bool with_state) {
  was_started_ = started_;
  const auto asked = monitor();
  // The monitor goes first: its worker has the trigger's name, as those of the service have.
  if (started_ && asked) (void)asked->stop(deadline);
  Result<> done;
  if (started_) {
    auto saved = stop_serving(*instance_, deadline);
    if (!with_state) {
      // Nor does it matter if it could not be saved.
    } else if (!saved) {
      done = tl::make_unexpected(saved.error());
    } else if (*saved && successor_.instance) {
      done = successor_.instance->restore(**saved);
    }
  }
  plugin::Instance& next = successor_.instance ? *successor_.instance : *instance_;
  const auto next_monitor = successor_.monitor ? successor_.monitor : asked;
  if (done) done = start_serving(next, next_monitor.get());
  if (!done) {
    if (was_started_) serve_again(deadline);
    return done;
  }
  started_ = true;
  note_start({});
  // An instance that stays is its own predecessor.
  std::unique_ptr<plugin::Instance> serving =
      successor_.instance ? std::move(successor_.instance) : std::move(instance_);
  predecessor_ = {.instance = std::move(instance_), .monitor = asked};
  serve_with({.instance = std::move(serving), .monitor = next_monitor});
  successor_ = {};
  return {};
}

void Trigger::take_back(Monotonic deadline) {
  if (const auto asked = monitor()) (void)asked->stop(deadline);
  if (auto stopped = stop_serving(*instance_, deadline); !stopped) {
    log_.warn("plugin.reload_failed", {{"trigger", config_.name}}, "{}", stopped.error().message);
  }
  std::unique_ptr<plugin::Instance> serving =
      predecessor_.instance ? std::move(predecessor_.instance) : std::move(instance_);
  successor_ = {.instance = std::move(instance_), .monitor = monitor()};
  serve_with({.instance = std::move(serving), .monitor = std::move(predecessor_.monitor)});
  predecessor_ = {};
  started_ = false;
  if (was_started_) serve_again(deadline);
}

void Trigger::drop_predecessor() {
  predecessor_ = {};
  if (!was_started_ && suspended_) arm_monitor();
}

}  // namespace triggerd::trigger
