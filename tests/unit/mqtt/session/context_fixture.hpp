// What a part of a connection works with: an event loop that the test turns, and the fakes.
#pragma once

#include <gtest/gtest.h>

#include <memory>
#include <utility>

#include "mqtt/session/connection_context.hpp"
#include "support/capture_log.hpp"
#include "support/fake_clock.hpp"
#include "unit/mqtt/session/fakes.hpp"

namespace triggerd::mqtt::test {

class FakedContext : public ::testing::Test {
 protected:
  explicit FakedContext(ConnectionOptions options)
      : context_({.supervisor = loop_,
                  .resolver = resolver_,
                  .password_commands = password_commands_,
                  .make_client = {},
                  .sessions = sessions_,
                  .random = [] { return 1.0; },
                  .log = log_},
                 std::move(options)) {
    context_.tasks.owned_by(owner_);
  }
  void advance(Millis by) {
    clock_.advance(by);
    loop_->run_due();
  }

  triggerd::test::FakeClock clock_;
  const std::shared_ptr<EventLoop> loop_ = std::make_shared<EventLoop>(clock_);
  triggerd::test::CaptureLog log_;
  FakeResolver resolver_;
  FakePasswordCommands password_commands_;
  FakeSessions sessions_;
  Asked asked_;
  FakeClient client_{asked_};
  const std::shared_ptr<int> owner_ = std::make_shared<int>(0);
  ConnectionContext context_;
};

}  // namespace triggerd::mqtt::test
