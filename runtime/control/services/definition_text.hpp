// Definitions as text, from the API or in managed.toml.
#pragma once

#include <string_view>

#include "config/config.hpp"
#include "config/managed.hpp"
#include "management/definitions.hpp"

namespace triggerd::control {

config::Defined kind_of(management::DefinitionKind kind);
// "alias", "trigger".
std::string_view word(management::DefinitionKind kind);

// The table that `change` puts in place of `before` (null: there is none), with the secrets that it
// keeps from that one. `all` is the configuration that runs: it says which files may be named.
management::Outcome<config::Node> table_to_keep(const management::DefinitionChange& change,
                                                const config::Config& all,
                                                const config::Node* before);

// What a reload with `managed`, which includes `change`, found to be wrong, worded for whoever
// asked for the change: what is wrong in the definition by its key, what is wrong elsewhere because
// of it by its place.
management::AdminError error_of_definition(const management::AdminError& found,
                                           const config::ManagedFile& managed,
                                           const management::DefinitionChange& change);

}  // namespace triggerd::control
