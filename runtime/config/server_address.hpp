// "tcp://host:1883" -> Server.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/result.hpp"
#include "config/server.hpp"

namespace triggerd::config {

// SCHEME://HOST[:PORT], followed by a path for a WebSocket. Errors never quote the text: people
// write passwords into addresses. The host comes out in lower case, so equal hosts compare equal.
Result<Server> parse_server(std::string_view text);

// HOST, HOST:PORT, [IPV6] or [IPV6]:PORT; without a port, `port` stays as it is. `example` is for
// errors: an address with IPv6, "tcp://[::1]:1883".
Result<> parse_host_and_port(std::string_view text, std::string_view example, std::string& host,
                             std::uint16_t& port);

}  // namespace triggerd::config
