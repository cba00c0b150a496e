// What is said of an alias and of a trigger alike.
#pragma once

#include <string>

#include "webmethods/context.hpp"
#include "webmethods/draft.hpp"

namespace triggerd::webmethods {

// It is called `given` here, which may differ from its name there.
void note_name(Draft& draft, const Entry& entry, const Read<std::string>& name,
               const std::string& given);
// It belongs to `package` there, and to none here if no packages are made.
void note_package(Draft& draft, const Entry& entry, const Options& options,
                  const std::string& package);

}  // namespace triggerd::webmethods
