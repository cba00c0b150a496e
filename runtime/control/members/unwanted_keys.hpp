// Keys of handled messages that no trigger of the configuration asks for any more.
#pragma once

#include "base/log.hpp"
#include "config/config_fwd.hpp"
#include "inbox/handled_keys.hpp"

namespace triggerd::control {

// Has them forgotten, of triggers without `deduplicate` and of those that are not configured. While
// a package cannot be read nobody knows what it has, so of the latter none are. A failure is
// logged, and the next start or reload does it. [control]
void forget_unwanted_keys(inbox::HandledKeys& keys, const config::Config& config, Log& log);

}  // namespace triggerd::control
