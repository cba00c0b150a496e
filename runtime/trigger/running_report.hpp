// Whether a trigger runs - connected, every filter granted, its service started, neither suspended
// nor disabled - and the log lines of its changes.
#pragma once

#include <atomic>
#include <functional>
#include <string>

#include "base/log.hpp"
#include "config/config_fwd.hpp"
#include "mqtt/mqtt.hpp"

namespace triggerd::trigger {

class RunningReport {
 public:
  // `trigger` and `log` outlive it. `changed` is called after every change. [supervisor]
  RunningReport(const config::Trigger& trigger, Log& log, std::function<void()> changed)
      : trigger_(trigger), log_(log), changed_(std::move(changed)) {}

  // All that it depends on, besides the connection.
  struct Facts {
    bool serves = false;
    bool suspended = false;
    bool disabled = false;
    std::string service;  // its name, for the log
  };
  // [supervisor]
  void note(const mqtt::ConnectionStatus& status, const Facts& facts);
  void note(const Facts& facts) { note(status_, facts); }

  bool running() const { return running_; }  // [any]

 private:
  const config::Trigger& trigger_;
  Log& log_;
  const std::function<void()> changed_;
  std::atomic<bool> running_{false};
  mqtt::ConnectionStatus status_;  // [supervisor] as last told
  std::string because_;            // [supervisor] why it does not run, as last logged
};

}  // namespace triggerd::trigger
