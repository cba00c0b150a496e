#include "control/members/unwanted_keys.hpp"

#include <algorithm>

#include "config/config.hpp"

namespace triggerd::control {

void forget_unwanted_keys(inbox::HandledKeys& keys, const config::Config& config, Log& log) {
  const bool knows_all =
      std::all_of(config.packages.begin(), config.packages.end(),
                  [](const config::Package& package) { return package.problems.empty(); });
  const auto done = keys.keep_only([&](std::string_view name) {
    const config::Trigger* const trigger = config.find_trigger(name);
    return trigger == nullptr ? !knows_all : trigger->deduplicate.has_value();
  });
  if (!done) log.error("inbox.error", {}, "{}", done.error().message);
}

}  // namespace triggerd::control
