// [triggers.settings]: a TOML table as the ABI hands it to a service.
#pragma once

#include "config/diagnostics.hpp"
#include "config/tree.hpp"
#include "config/trigger.hpp"

namespace triggerd::config {

// As JSON and flattened, both in the order of the file, with strings expanded. Dates and times
// become strings. Values that JSON does not have (NaN, infinity) are reported, as are tables nested
// deeper than 32 levels and settings that flatten to more than 4 MiB. `table` holds a Node::Table.
Settings read_settings(const SourceFile& file, const Node& table);

}  // namespace triggerd::config
