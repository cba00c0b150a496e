// The checks that need all sections of all files.
#pragma once

#include "config/diagnostics.hpp"
#include "config/sections.hpp"

namespace triggerd::config {

// Duplicate names, and client ids that two connections to one server would share.
void validate(const Sections& sections, Diagnostics& diagnostics);

// The part for TLS: references to truststores and keystores that do not exist.
void validate_tls(const Sections& sections, Diagnostics& diagnostics);
// Triggers of `package` (empty: of no package) whose alias does not exist, or belongs to a package
// that theirs does not require.
void validate_alias_references(const Sections& sections, std::string_view package,
                               Diagnostics& diagnostics);

}  // namespace triggerd::config
