// The checks that need all sections of all files.
#pragma once

#include "config/diagnostics.hpp"
#include "config/sections.hpp"

namespace triggerd::config {

// Names that are taken twice, client ids that two connections to one server would share.
void validate(const Sections& sections, Diagnostics& diagnostics);

// Its part for TLS: truststores and keystores that do not exist.
void validate_tls(const Sections& sections, Diagnostics& diagnostics);
// Triggers of `package` (empty: of no package) whose alias does not exist, or is not theirs to use.
void validate_alias_references(const Sections& sections, std::string_view package,
                               Diagnostics& diagnostics);

}  // namespace triggerd::config
