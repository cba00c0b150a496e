// The checks that need all sections of all files.
#pragma once

#include "config/diagnostics.hpp"
#include "config/sections.hpp"

namespace triggerd::config {

// Reports duplicate names, client ids that two connections to one server would share, and MQTT 5
// keys in triggers whose alias speaks 3.1.1. Calls validate_tls().
void validate(const Sections& sections, Diagnostics& diagnostics);

// Reports references to truststores and keystores that do not exist.
void validate_tls(const Sections& sections, Diagnostics& diagnostics);
// Reports triggers in `package` (empty: those in no package) whose alias does not exist, or belongs
// to a package that `package` does not require.
void validate_alias_references(const Sections& sections, std::string_view package,
                               Diagnostics& diagnostics);

}  // namespace triggerd::config
