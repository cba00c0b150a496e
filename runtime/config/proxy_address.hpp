// "http://user@host:8080" -> Proxy.
#pragma once

#include <string_view>

#include "base/result.hpp"
#include "config/config.hpp"

namespace triggerd::config {

// SCHEME://[USER[:PASSWORD]@]HOST[:PORT], user name and password in percent-encoding. Errors never
// quote the text. What is taken here is masked where it is shown: see secrets.hpp.
Result<Proxy> parse_proxy(std::string_view text);

// Whether a proxy of its kind can be told its user name and password.
Result<> check_login(const Proxy& proxy);

}  // namespace triggerd::config
