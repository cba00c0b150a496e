// The alias's own connection: carries the last will and what services publish, subscribes to
// nothing. A connection that only ends a session is one too.
#pragma once

#include <atomic>
#include <functional>
#include <memory>

#include "mqtt/session/connection.hpp"
#include "trigger/connection_watch.hpp"

namespace triggerd::control {

class AliasConnection final : private mqtt::ConnectionListener {
 public:
  // `changed`: it came up, or went down. [supervisor]
  AliasConnection(const Clock& clock, std::function<void()> changed)
      : changed_(std::move(changed)), watch_(clock) {}

  Result<> prepare(const mqtt::ConnectionServices& services, mqtt::ConnectionOptions options) {
    auto made = mqtt::Connection::make(services, std::move(options), *this);
    if (!made) return tl::make_unexpected(made.error());
    connection_ = std::move(*made);
    return {};
  }
  const std::string& name() const { return connection_->options().alias; }
  const std::shared_ptr<mqtt::Connection>& connection() const { return connection_; }
  bool up() const { return up_; }                                                          // [any]
  management::ConnectionView view() const { return watch_.view(connection_->options()); }  // [any]

 private:
  void on_message(mqtt::Message&&) override {}
  void on_status(const mqtt::ConnectionStatus& status) override {
    watch_.note(status);
    if (up_.exchange(status.running()) != status.running()) changed_();
  }

  const std::function<void()> changed_;
  std::atomic<bool> up_{false};
  trigger::ConnectionWatch watch_;
  std::shared_ptr<mqtt::Connection> connection_;
};

}  // namespace triggerd::control
