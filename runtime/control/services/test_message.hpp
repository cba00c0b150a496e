// The one message of a test run of a trigger.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <stop_token>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.hpp"
#include "base/log.hpp"
#include "base/mutex.hpp"
#include "management/test_runs.hpp"
#include "plugin/plugin.hpp"
#include "plugin/work.hpp"

namespace triggerd::control {

// Collects what a service logs. [any]
class LogLines final : public Log {
 public:
  bool enabled(LogLevel) const override { return true; }
  void write(LogLevel level, std::string_view, LogFields, std::string_view text) override;
  std::vector<management::TriggerTest::LogLine> take();

 private:
  static constexpr std::size_t kMax = 1'000;
  Mutex mutex_;
  std::vector<management::TriggerTest::LogLine> lines_ TRIGGERD_GUARDED_BY(mutex_);
};

// Gives one message to one instance, outside of every queue, and keeps what the service makes of
// it. Its lock is a leaf. [any]
class TestMessage final : public plugin::WorkSource, public plugin::InstanceHost {
 public:
  // `clock` outlives it.
  TestMessage(std::string trigger, std::string alias, management::TriggerTestMessage message,
              Millis timeout, const Clock& clock);

  // False: no verdict by then.
  bool wait(Monotonic deadline);
  management::TriggerTest result();

  // WorkSource
  const trigger_message* take(std::stop_token stop) override;
  Taken poll(std::size_t) override;  // the same, for a worker process
  void listen(std::function<void()> waker) override;
  void lost(const Loss& loss) override;
  void answered(const trigger_message&, plugin::Answer answer) override;
  // InstanceHost
  std::int32_t complete(std::uint64_t token, plugin::Answer answer) override;
  std::int32_t extend(std::uint64_t token, std::uint32_t) override;
  std::int32_t publish(const trigger_publish& request, plugin::PublishDone done) override;

  LogLines log;
  std::unique_ptr<plugin::Instance> instance;  // [control]

 private:
  bool end(plugin::Answer answer);

  const Clock& clock_;
  const std::string id_ = "test";
  const std::string trigger_;
  const std::string alias_;
  const management::TriggerTestMessage message_;
  std::vector<trigger_property> properties_;
  trigger_message view_{};
  Mutex mutex_;
  CondVar changed_;
  bool taken_ TRIGGERD_GUARDED_BY(mutex_) = false;
  Monotonic began_ TRIGGERD_GUARDED_BY(mutex_){};
  double seconds_ TRIGGERD_GUARDED_BY(mutex_) = 0;
  std::optional<plugin::Answer> answer_ TRIGGERD_GUARDED_BY(mutex_);
  std::vector<management::TriggerTest::Published> published_ TRIGGERD_GUARDED_BY(mutex_);
};

}  // namespace triggerd::control
