// Converts what Integration Server has to what triggerd has.
#pragma once

#include <vector>

#include "webmethods/exported.hpp"
#include "webmethods/webmethods.hpp"

namespace triggerd::webmethods {

// Use the result only if `findings` has no errors afterwards.
Imported convert(const Exported& exported, const Options& options, Findings& findings);

}  // namespace triggerd::webmethods
