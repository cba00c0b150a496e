// The world of a service that is tried offline: it gets one message after another; its log, its
// publishes and its verdicts become events; every publish succeeds.
#pragma once

#include <cstdint>
#include <optional>
#include <stop_token>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/log.hpp"
#include "base/mutex.hpp"
#include "offline/child.hpp"
#include "plugin/work.hpp"

namespace triggerctl {

// What `plugin run` calls the service with.
struct OfflineMessage {
  std::string topic;
  std::string payload;
  std::uint32_t qos = 1;
  bool retain = false;
  std::uint32_t attempt = 1;
  // MQTT 5 properties; a message that has any is an MQTT 5 message.
  std::vector<std::pair<std::string, std::string>> user_properties;
  std::string content_type;
  std::string response_topic;
};

class EventLog final : public triggerd::Log {
 public:
  explicit EventLog(Events& events) : events_(events) {}
  bool enabled(triggerd::LogLevel level) const override {
    return level >= triggerd::LogLevel::debug;
  }
  // The service's own lines, and the runtime's complaints about it.
  void write(triggerd::LogLevel level, std::string_view event, triggerd::LogFields fields,
             std::string_view text) override;

 private:
  Events& events_;
};

class OfflineHost final : public triggerd::plugin::InstanceHost,
                          public triggerd::plugin::WorkSource {
 public:
  OfflineHost(Events& events, OfflineMessage message, Millis timeout);

  // Has a worker call the service with message `number`, counted from 1, and waits for the verdict.
  // False: there was none in time, or handle has not returned.
  [[nodiscard]] bool try_message(std::uint32_t number);
  // Whether handle has returned from everything it was called with.
  bool quiet();

  // InstanceHost [any]
  std::int32_t complete(std::uint64_t token, triggerd::plugin::Answer answer) override;
  std::int32_t extend(std::uint64_t token, std::uint32_t ms) override;
  std::int32_t publish(const trigger_publish& request, triggerd::plugin::PublishDone done) override;
  // WorkSource [worker]
  const trigger_message* take(std::stop_token stop) override;
  void answered(const trigger_message& message, triggerd::plugin::Answer answer) override;

 private:
  void lay_out_properties();

  Events& events_;
  const OfflineMessage options_;
  const Millis timeout_;
  std::vector<trigger_property> properties_;

  triggerd::Mutex mutex_;
  triggerd::CondVar changed_;
  std::string id_;
  trigger_message message_{};  // while it is tried
  bool offered_ TRIGGERD_GUARDED_BY(mutex_) = false;
  bool in_service_ TRIGGERD_GUARDED_BY(mutex_) = false;
  bool pending_ TRIGGERD_GUARDED_BY(mutex_) = false;
  triggerd::Monotonic deadline_ TRIGGERD_GUARDED_BY(mutex_){};
  std::optional<triggerd::plugin::Answer> verdict_ TRIGGERD_GUARDED_BY(mutex_);
  std::uint64_t token_ TRIGGERD_GUARDED_BY(mutex_) =
      0;  // of the message; 0: no message is being tried
};

}  // namespace triggerctl
