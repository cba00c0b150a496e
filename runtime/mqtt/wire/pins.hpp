// Which address a host name stands for, for the MQTT library: it gets the name, as TLS and
// WebSocket need it, and would look it up under its own lock, which freezes every connection of the
// process.
#pragma once

#include <optional>
#include <string>

namespace triggerd::mqtt::wire {

// From now on `host` is `address`, a numeric one. Connections that try two addresses of one host at
// once may swap them, which costs one of them an attempt. [any]
void pin_address(const std::string& host, const std::string& address);
std::optional<std::string> pinned_address(const std::string& host);

}  // namespace triggerd::mqtt::wire
