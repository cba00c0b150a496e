// The checks that need all sections of all files.
#pragma once

#include "config/diagnostics.hpp"
#include "config/sections.hpp"

namespace triggerd::config {

// Names that are taken twice, triggers whose alias does not exist, client ids that two connections
// to one server would share.
void validate(const Sections& sections, Diagnostics& diagnostics);

// Its part for TLS: truststores and keystores that do not exist.
void validate_tls(const Sections& sections, Diagnostics& diagnostics);

}  // namespace triggerd::config
