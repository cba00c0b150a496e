// Aliases that an administrator has disabled, as the inbox keeps them over restarts.
#pragma once

#include <optional>
#include <string_view>

#include "config/config_fwd.hpp"
#include "control/running/registry.hpp"
#include "inbox/trigger_records.hpp"

namespace triggerd::control {

// Disables in `config` what an administrator has disabled, whatever the files say, and returns it.
Result<AliasStates> overlay_alias_states(inbox::TriggerRecords& stored, config::Config& config);
// nullopt: it is enabled.
Result<> set_alias_state(inbox::TriggerRecords& stored, std::string_view alias,
                         const std::optional<inbox::TriggerState>& state);

}  // namespace triggerd::control
