// What belongs to a package there belongs to one here.
#pragma once

#include <vector>

#include "webmethods/context.hpp"
#include "webmethods/draft.hpp"
#include "webmethods/members.hpp"

namespace triggerd::webmethods {

std::vector<ImportedPackage> write_packages(Remarks& remarks, const Context& context,
                                            Members& members);

}  // namespace triggerd::webmethods
