// "http://user@host:8080" -> Proxy.
#pragma once

#include <string_view>

#include "base/result.hpp"
#include "config/proxy.hpp"

namespace triggerd::config {

// SCHEME://[USER[:PASSWORD]@]HOST[:PORT], user name and password in percent-encoding. Errors never
// quote the text. A password that is accepted here is masked wherever it is shown: see secrets.hpp.
Result<Proxy> parse_proxy(std::string_view text);

// Checks that the user name and password in `proxy` can be sent to a proxy of its scheme.
Result<> check_login(const Proxy& proxy);

}  // namespace triggerd::config
