// The alias's own connection: carries the last will and what services publish, subscribes to
// nothing. With an outbox it keeps a session, and what is published with QoS 1 and 2 goes through
// that. A connection that only ends a session is one too.
#pragma once

#include <atomic>
#include <functional>
#include <memory>

#include "mqtt/session/connection.hpp"
#include "outbox/outboxes.hpp"
#include "trigger/connection_watch.hpp"

namespace triggerd::control {

class AliasConnection final : private mqtt::ConnectionListener {
 public:
  // `changed`: it came up, or went down. [supervisor]
  AliasConnection(const Clock& clock, std::function<void()> changed)
      : changed_(std::move(changed)), watch_(clock) {}

  // Before prepare(): from open() on this outbox publishes here, as `options` say. [control]
  void use(outbox::OutboxPtr outbox, const config::Outbox& options) {
    outbox_ = std::move(outbox);
    outbox_options_ = options;
  }
  Result<> prepare(const mqtt::ConnectionServices& services, mqtt::ConnectionOptions options) {
    auto made = mqtt::Connection::make(services, std::move(options), *this);
    if (!made) return tl::make_unexpected(made.error());
    connection_ = std::move(*made);
    return {};
  }
  // Connects, and keeps connected. [control]
  void open() {
    if (outbox_) outbox_->change(connection_->options().client_id, outbox_options_);
    connection_->open();
  }
  // Null: without.
  const outbox::OutboxPtr& outbox() const { return outbox_; }
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

  void on_line(mqtt::PublishLine& line, const mqtt::PublishLine::Terms& terms) override {
    if (outbox_) outbox_->on_line(line, terms);
  }
  void on_answers(const std::vector<mqtt::PublishAnswer>& answers) override {
    if (outbox_) outbox_->on_answers(answers);
  }
  void off_line(mqtt::PublishLine& line) override {
    if (outbox_) outbox_->off_line(line);
  }

  const std::function<void()> changed_;
  outbox::OutboxPtr outbox_;
  config::Outbox outbox_options_;
  std::atomic<bool> up_{false};
  trigger::ConnectionWatch watch_;
  std::shared_ptr<mqtt::Connection> connection_;
};

}  // namespace triggerd::control
