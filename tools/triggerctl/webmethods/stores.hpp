// [truststores.NAME] and [keystores.NAME]
#pragma once

#include "webmethods/context.hpp"
#include "webmethods/draft.hpp"

namespace triggerd::webmethods {

// Writes those that the file describes, then those that aliases name and it does not, and gives all
// of them their names.
void write_stores(Draft& draft, const Exported& exported, GivenNames& names);

}  // namespace triggerd::webmethods
