// What main.cpp gives to the parts that it starts.
#pragma once

#include <filesystem>
#include <string>

#include "admin/admin.hpp"
#include "config/admin_section.hpp"
#include "control/runtime.hpp"

namespace triggerd {

// `file` may be relative to the folder in which the runtime was started.
control::RuntimeOptions runtime_options(const std::string& file);
admin::AdminOptions admin_options(const config::AdminSection& section,
                                  const std::filesystem::path& state_dir);

}  // namespace triggerd
