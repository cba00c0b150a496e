// triggerctl plugin new: a project for a plugin, outside this tree, with all that it needs to
// build. tools/plugin-new makes the same where triggerctl is not built yet.
#pragma once

#include <string>

namespace triggerctl {

struct Project {
  std::string dir;
  std::string language;  // c, cpp, rust
  std::string name;      // of the plugin; empty: that of `dir`
};

int make_project(const Project& project);

}  // namespace triggerctl
