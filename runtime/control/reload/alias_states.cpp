#include "control/reload/alias_states.hpp"

#include <fmt/format.h>

#include "config/config.hpp"

namespace triggerd::control {
namespace {

// What the state of an alias is called among those of triggers: no trigger has such a name.
std::string state_key(std::string_view alias) {
  return fmt::format("alias/{}", alias);
}

}  // namespace

Result<AliasStates> overlay_alias_states(inbox::TriggerRecords& stored, config::Config& config) {
  AliasStates states;
  for (config::Alias& alias : config.aliases) {
    auto state = stored.state(state_key(alias.name));
    if (!state) return tl::make_unexpected(state.error());
    if (!*state) continue;
    alias.enabled = false;
    states.emplace(alias.name, **std::move(state));
  }
  return states;
}

Result<> set_alias_state(inbox::TriggerRecords& stored, std::string_view alias,
                         const std::optional<inbox::TriggerState>& state) {
  return stored.set_state(state_key(alias), state);
}

}  // namespace triggerd::control
