// A connection between fakes, and the answers that the library gives it.
#pragma once

#include <gtest/gtest.h>

#include "mqtt/session/connection.hpp"
#include "support/capture_log.hpp"
#include "support/fake_clock.hpp"
#include "unit/mqtt/session/fakes.hpp"

namespace triggerd::mqtt::test {

class FakedConnection : public ::testing::Test {
 protected:
  FakedConnection() {
    options_.alias = "plant";
    options_.client_id = "edge";
    options_.clean_session = false;
    options_.connection_timeout = Millis(30'000);
    options_.reconnect = {Millis(1'000), Millis(60'000), 2.0};
    options_.max_packet_size = 100;
  }
  ~FakedConnection() override { connection_.reset(); }

  void open() {
    const ConnectionServices services{
        .supervisor = loop_,
        .resolver = resolver_,
        .password_commands = password_commands_,
        .make_client = [this](const ConnectionOptions&, MessageListener& messages,
                              ClientEvents& events) -> Result<std::unique_ptr<Client>> {
          asked_.messages = &messages;
          asked_.events = &events;
          return std::make_unique<FakeClient>(asked_);
        },
        .sessions = sessions_,
        .random = [] { return 1.0; },
        .log = log_,
        .losses = losses_};
    connection_ = Connection::make(services, options_, listener_).value();
    connection_->open();
    loop_->run_due();
  }
  void advance(Millis by) {
    clock_.advance(by);
    loop_->run_due();
  }
  void connected(bool session_present = false) {
    asked_.events->on_connected(asked_.attempt(), {.session_present = session_present});
    loop_->run_due();
  }
  void connect_failed(int code = 0) {
    asked_.events->on_connect_failed(asked_.attempt(), code, "socket error");
    loop_->run_due();
  }
  void subscribed(std::vector<int> codes) {
    asked_.events->on_subscribed(asked_.attempt(), std::move(codes), "");
    loop_->run_due();
  }
  void lost() {
    asked_.events->on_lost(asked_.attempt(), "", -1);
    loop_->run_due();
  }
  void disconnected() {
    asked_.events->on_disconnected(asked_.attempt());
    loop_->run_due();
  }
  const ConnectRequest& request() const { return asked_.connects.back().request; }
  const std::string& address() const { return request().address; }

  triggerd::test::FakeClock clock_;
  const std::shared_ptr<EventLoop> loop_ = std::make_shared<EventLoop>(clock_);
  triggerd::test::CaptureLog log_;
  const std::shared_ptr<Losses> losses_ = std::make_shared<Losses>();
  FakeResolver resolver_;
  FakePasswordCommands password_commands_;
  FakeSessions sessions_;
  FakeListener listener_;
  Asked asked_;
  ConnectionOptions options_;
  std::shared_ptr<Connection> connection_;
};

// With two servers and two filters.
class ConnectionTest : public FakedConnection {
 protected:
  ConnectionTest() {
    options_.servers = {{.host = "one", .port = 1883}, {.host = "two", .port = 1884}};
    options_.keep_alive = Millis(60'000);
    options_.topics = {{"a/#", 1}, {"b", 2}};
    resolver_.addresses = {{"one", {"10.0.0.1", "::1"}}, {"two", {"10.0.0.2"}}};
  }

  void up() {
    open();
    connected();
    subscribed({1, 2});
    ASSERT_EQ(listener_.status().state, ConnectionStatus::State::up);
  }
};

}  // namespace triggerd::mqtt::test
