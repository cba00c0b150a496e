// What the parts of one connection have in common: its options, what all connections share, its
// tasks on the supervisor, and its log. Constant once the connection was made; any thread.
#pragma once

#include <memory>
#include <utility>

#include "base/backoff.hpp"
#include "base/event_loop.hpp"
#include "base/log.hpp"
#include "mqtt/client.hpp"
#include "mqtt/mqtt.hpp"
#include "mqtt/session/connection_log.hpp"
#include "mqtt/session/losses.hpp"
#include "mqtt/session/owned_tasks.hpp"
#include "mqtt/session/password_commands.hpp"
#include "mqtt/session/resolver.hpp"

namespace triggerd::mqtt {

// What all connections of a runtime share. Outlives them.
struct ConnectionServices {
  std::shared_ptr<EventLoop> supervisor;
  Resolver& resolver;
  PasswordCommands& password_commands;
  ClientFactory make_client;
  SessionMemory& sessions;
  Random random;
  Log& log;
  std::shared_ptr<Losses> losses = std::make_shared<Losses>();
};

struct ConnectionContext {
  ConnectionContext(ConnectionServices shared, ConnectionOptions wanted)
      : services(std::move(shared)),
        options(std::move(wanted)),
        tasks(services.supervisor),
        log(services.log, options) {}

  Monotonic now() const { return tasks.clock().now(); }

  const ConnectionServices services;
  const ConnectionOptions options;
  OwnedTasks tasks;
  const ConnectionLog log;
};

}  // namespace triggerd::mqtt
