// "tcp://host:1883" -> Server.
#pragma once

#include <string_view>

#include "base/result.hpp"
#include "config/config.hpp"

namespace triggerd::config {

// SCHEME://HOST[:PORT], with a path behind it for a WebSocket. Errors never quote the text: people
// write passwords into addresses. The host comes out in lower case, so equal hosts compare equal.
Result<Server> parse_server(std::string_view text);

}  // namespace triggerd::config
