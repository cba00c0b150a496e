// A trigger's monitor: a service of its own whose probe says whether a suspended trigger may go on.
#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <optional>

#include "base/clock.hpp"
#include "base/mutex.hpp"
#include "config/config_fwd.hpp"
#include "plugin/plugin.hpp"

namespace triggerd::trigger {

// Makes an instance of the service that `settings` names. [control]
using MakeInstance = std::function<Result<std::unique_ptr<plugin::Instance>>(
    const config::Trigger& settings, plugin::InstanceHost& host)>;
// Those of `generation`; empty if that is null.
MakeInstance instances_of(const std::shared_ptr<plugin::Generation>& generation);

class Monitor final : private plugin::WorkSource, private plugin::InstanceHost {
 public:
  // `answered` is called on the monitor's worker. An error if the service has no probe. `clock`
  // outlives the monitor. [control]
  static Result<std::unique_ptr<Monitor>> make(const MakeInstance& make_instance,
                                               const config::Trigger& trigger,
                                               std::function<void(const Result<>&)> answered,
                                               const Clock& clock);

  Result<> start();  // [control]
  const plugin::Generation& generation() const { return instance_->generation(); }
  // Has the probe called; its result goes to `answered`. [any]
  void ask();
  // False: the probe does not return, and is abandoned. [control]
  [[nodiscard]] bool stop(Monotonic deadline);
  // After stop(); it is never used again. [control]
  void destroy() { instance_->destroy(); }
  bool abandoned() const { return instance_->abandoned(); }

 private:
  Monitor(Millis timeout, std::function<void(const Result<>&)> answered, const Clock& clock)
      : timeout_(timeout), answered_(std::move(answered)), clock_(clock) {}

  // plugin::WorkSource
  const trigger_message* take(std::stop_token stop) override;
  Taken poll(std::size_t ahead) override;
  void listen(std::function<void()> waker) override;
  void answered(const trigger_message&, plugin::Answer) override {}
  void probed(const Result<>& outcome) override;
  bool overrunning() const override;
  void lost(const Loss& loss) override;
  // plugin::InstanceHost: it gets no messages, and publishes nothing.
  std::int32_t complete(std::uint64_t, plugin::Answer) override { return TRIGGER_E_STALE; }
  std::int32_t extend(std::uint64_t, std::uint32_t) override { return TRIGGER_E_STALE; }
  std::int32_t publish(const trigger_publish&, plugin::PublishDone) override {
    return TRIGGER_E_UNSUPPORTED;
  }

  const trigger_message* begin_probe() TRIGGERD_REQUIRES(mutex_);

  const Millis timeout_;
  const std::function<void(const Result<>&)> answered_;
  const Clock& clock_;
  mutable Mutex mutex_;
  CondVar asked_;
  bool wanted_ TRIGGERD_GUARDED_BY(mutex_) = false;
  // By when the probe that was begun has to return; nullopt: none was.
  std::optional<Monotonic> deadline_ TRIGGERD_GUARDED_BY(mutex_);
  std::function<void()> waker_ TRIGGERD_GUARDED_BY(mutex_);
  bool started_ = false;  // [control]
  std::unique_ptr<plugin::Instance> instance_;
};

}  // namespace triggerd::trigger
