#include "trigger/monitor.hpp"

#include <utility>

#include "base/units.hpp"
#include "config/trigger.hpp"

namespace triggerd::trigger {

MakeInstance instances_of(const std::shared_ptr<plugin::Generation>& generation) {
  if (!generation) return {};
  return [generation](const config::Trigger& settings, plugin::InstanceHost& host) {
    return generation->create(settings, host);
  };
}

Result<std::unique_ptr<Monitor>> Monitor::make(const MakeInstance& make_instance,
                                               const config::Trigger& trigger,
                                               std::function<void(const Result<>&)> answered,
                                               const Clock& clock) {
  std::unique_ptr<Monitor> monitor(new Monitor(trigger.timeout, std::move(answered), clock));
  // The same settings, for another service.
  config::Trigger asked = trigger;
  asked.plugin = trigger.monitor_plugin;
  asked.service = trigger.monitor_service;
  asked.concurrency = 1;
  auto instance = make_instance(asked, *monitor);
  if (!instance) return fail("its monitor: {}", instance.error().message);
  monitor->instance_ = std::move(*instance);
  if (!monitor->instance_->can_be_probed()) {
    return fail("its monitor: service \"{}:{}\" has no probe", asked.plugin,
                monitor->instance_->service_name());
  }
  return monitor;
}

Result<> Monitor::start() {
  if (auto started = instance_->start(); !started) {
    return fail("its monitor: {}", started.error().message);
  }
  if (auto running = instance_->run_workers(*this, 1); !running) {
    instance_->stop();
    return running;
  }
  started_ = true;
  return {};
}

void Monitor::ask() {
  MutexLock lock(mutex_);
  wanted_ = true;
  asked_.notify_all();
  if (waker_) waker_();
}

plugin::WorkSource::Taken Monitor::poll(std::size_t) {
  MutexLock lock(mutex_);
  return {.message = wanted_ ? begin_probe() : nullptr, .follows = false};
}

const trigger_message* Monitor::begin_probe() {
  wanted_ = false;
  deadline_ = clock_.now() + timeout_;
  return &kProbe;
}

void Monitor::probed(const Result<>& outcome) {
  {
    MutexLock lock(mutex_);
    if (!std::exchange(deadline_, std::nullopt)) return;  // nobody has asked
  }
  answered_(outcome);
}

bool Monitor::overrunning() const {
  MutexLock lock(mutex_);
  return deadline_ && *deadline_ <= clock_.now();
}

void Monitor::lost(const Loss& loss) {
  std::optional<Monotonic> deadline;
  {
    MutexLock lock(mutex_);
    deadline = std::exchange(deadline_, std::nullopt);
    if (!deadline) return;
    if (loss.why == Loss::Why::not_begun) {
      wanted_ = true;
      return;
    }
  }
  if (*deadline <= clock_.now()) {
    answered_(fail("its probe did not return within {}", format_duration(timeout_)));
  } else {
    answered_(fail("{}", loss.reason));
  }
}

void Monitor::listen(std::function<void()> waker) {
  MutexLock lock(mutex_);
  waker_ = std::move(waker);
  if (waker_) waker_();
}

const trigger_message* Monitor::take(std::stop_token stop) {
  const std::stop_callback wake_up(stop, [this] {
    MutexLock lock(mutex_);
    asked_.notify_all();
  });
  MutexLock lock(mutex_);
  for (;;) {
    if (stop.stop_requested()) return nullptr;
    if (wanted_) return begin_probe();
    asked_.wait(mutex_);
  }
}

bool Monitor::stop(Monotonic deadline) {
  if (!std::exchange(started_, false)) return true;
  if (!instance_->join_workers(deadline)) {
    instance_->abandon();
    return false;
  }
  instance_->stop();
  return true;
}

}  // namespace triggerd::trigger
