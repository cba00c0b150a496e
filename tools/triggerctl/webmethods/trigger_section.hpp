// [[triggers]]
#pragma once

#include <string>

#include "webmethods/context.hpp"
#include "webmethods/draft.hpp"

namespace triggerd::webmethods {

void write_trigger(Draft& draft, const Context& context, const ExportedTrigger& trigger,
                   const std::string& name);

}  // namespace triggerd::webmethods
