#include "trigger/service_slot.hpp"

#include <utility>

#include "base/units.hpp"
#include "config/trigger.hpp"

namespace triggerd::trigger {
namespace {

// A service that does not start.
constexpr Backoff kStartAgain{Millis{1'000}, Millis{30'000}, 2.0};
constexpr Millis kReportAgain{300'000};

}  // namespace

ServiceSlot::ServiceSlot(const config::Trigger& trigger, dispatch::Dispatcher& dispatcher,
                         const Clock& clock, Random random, Events events, Log& log)
    : trigger_(trigger),
      dispatcher_(dispatcher),
      clock_(clock),
      random_(std::move(random)),
      events_(std::move(events)),
      log_(log) {}

void ServiceSlot::serve(Serving serving) {
  instance_ = std::move(serving.instance);
  can_be_probed_ = instance_->can_be_probed();
  dispatcher_.set_max_batch(instance_->max_batch());
  MutexLock lock(mutex_);
  counting_ = instance_.get();
  service_name_ = instance_->service_name();
  monitor_ = std::move(serving.monitor);
}

Result<> ServiceSlot::start() {
  if (events_.stopping()) return fail("the runtime is stopping");
  auto started = start_serving(*instance_, monitor().get());
  started_ = started.has_value();
  note_start(started);
  return started;
}

// After an error nothing of it runs.
Result<> ServiceSlot::start_serving(plugin::Instance& instance, Monitor* monitor) {
  if (auto started = instance.start(); !started) return started;
  Result<> running;
  if (monitor != nullptr) running = monitor->start();
  if (running) running = instance.run_workers(dispatcher_, trigger_.concurrency);
  if (running) return {};
  if (monitor != nullptr) (void)monitor->stop(clock_.now());
  instance.stop();
  return running;
}

// An instance that was left alone is not started again: each one would stay in memory for ever.
// Only another build or the next start of the runtime makes another.
void ServiceSlot::note_start(const Result<>& started) {
  serves_ = started.has_value();
  events_.serves_changed();
  if (started) {
    start_failures_ = 0;
    MutexLock lock(mutex_);
    start_failure_.clear();
    return;
  }
  if (events_.stopping()) return;
  std::string next =
      "; it is not tried again until another build is loaded or the runtime is restarted";
  if (!instance_->abandoned()) {
    const Millis delay = kStartAgain.delay(++start_failures_, random_());
    next = fmt::format("; it is tried again in {}", format_duration(delay));
    events_.start_later(delay);
  }
  report_failed_start("its service did not start: " + started.error().message, next);
}

void ServiceSlot::report_failed_start(const std::string& why, const std::string& next) {
  bool told = false;
  {
    MutexLock lock(mutex_);
    const Monotonic now = clock_.now();
    told = why == start_failure_ && now - start_failure_told_ < kReportAgain;
    if (!told) start_failure_told_ = now;
    start_failure_ = why;
  }
  if (told) {
    log_.debug("trigger.not_running", {{"trigger", trigger_.name}}, "{}{}", why, next);
  } else {
    log_.error("trigger.not_running", {{"trigger", trigger_.name}}, "{}{}", why, next);
  }
}

// What the service saved for its successor. One that has not come back is left alone, and leaves
// nothing.
Result<std::optional<plugin::SavedState>> ServiceSlot::stop_serving(Monotonic deadline) {
  const bool joined = instance_->join_workers(deadline);
  dispatcher_.revoke_pending();
  if (!joined) {
    instance_->abandon();
    events_.try_again_later();
    return std::nullopt;
  }
  instance_->stop();
  if (!instance_->abandoned()) dispatcher_.end_expired_pending();
  return instance_->save();
}

Result<> ServiceSlot::hand_over(Monotonic deadline, bool with_state) {
  was_started_ = started_;
  const auto asked = monitor();
  // The monitor goes first: its worker has the trigger's name, as those of the service have.
  if (started_ && asked) (void)asked->stop(deadline);
  Result<> done;
  if (started_) {
    auto saved = stop_serving(deadline);
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
  serve({.instance = std::move(serving), .monitor = next_monitor});
  successor_ = {};
  return {};
}

void ServiceSlot::serve_again(Monotonic deadline) {
  const auto asked = monitor();
  if (asked) (void)asked->stop(deadline);  // for a failure that came after its start
  started_ = false;
  (void)start();
}

void ServiceSlot::take_back(Monotonic deadline) {
  if (const auto asked = monitor()) (void)asked->stop(deadline);
  if (auto stopped = stop_serving(deadline); !stopped) {
    log_.warn("plugin.reload_failed", {{"trigger", trigger_.name}}, "{}", stopped.error().message);
  }
  std::unique_ptr<plugin::Instance> serving =
      predecessor_.instance ? std::move(predecessor_.instance) : std::move(instance_);
  successor_ = {.instance = std::move(instance_), .monitor = monitor()};
  serve({.instance = std::move(serving), .monitor = std::move(predecessor_.monitor)});
  predecessor_ = {};
  started_ = false;
  if (was_started_) serve_again(deadline);
}

void ServiceSlot::forget_predecessor() {
  predecessor_ = {};
  if (!was_started_) events_.try_again_later();
}

void ServiceSlot::end_workers() {
  if (started_) instance_->end_workers();
}

void ServiceSlot::join_workers(Monotonic deadline) {
  if (started_) joined_ = instance_->join_workers(deadline);
}

bool ServiceSlot::stop(Monotonic deadline) {
  bool quiet = true;
  // It goes first: its worker has the trigger's name, as those of the service have.
  if (const auto asked = monitor()) quiet = asked->stop(deadline);
  if (!std::exchange(started_, false)) return quiet;
  dispatcher_.revoke_pending();
  if (joined_) {
    instance_->stop();
    return quiet;
  }
  log_.error(
      "trigger.hung", {{"trigger", trigger_.name}},
      "a call of service {}:{} has not returned; it is abandoned, and its plugin stays loaded",
      trigger_.plugin, service_name());
  instance_->abandon();
  return false;
}

bool ServiceSlot::destroy() {
  serves_ = false;
  {
    MutexLock lock(mutex_);
    counting_ = nullptr;
  }
  instance_->destroy();
  const auto asked = monitor();
  if (asked) asked->destroy();
  return !instance_->abandoned() && !(asked && asked->abandoned());
}

std::string ServiceSlot::service_name() const {
  MutexLock lock(mutex_);
  return service_name_;
}

std::shared_ptr<Monitor> ServiceSlot::monitor() const {
  MutexLock lock(mutex_);
  return monitor_;
}

std::string ServiceSlot::start_failure() const {
  MutexLock lock(mutex_);
  return start_failure_;
}

std::vector<plugin::Metric> ServiceSlot::metrics() const {
  MutexLock lock(mutex_);
  return counting_ != nullptr ? counting_->metrics() : std::vector<plugin::Metric>();
}

}  // namespace triggerd::trigger
