// What main.cpp gives to the parts that it starts.
#pragma once

#include <filesystem>
#include <string>

#include "admin/admin.hpp"
#include "config/config.hpp"
#include "control/runtime.hpp"

namespace triggerd {

// `file` is kept relative to where the runtime was started, as the file's own messages have it.
control::RuntimeOptions runtime_options(const std::string& file);
admin::AdminOptions admin_options(const config::AdminSection& section,
                                  const std::filesystem::path& state_dir);

}  // namespace triggerd
