// triggerctl plugin new: a project for a plugin, outside this tree, with everything that it needs
// to build. tools/plugin-new creates the same if triggerctl is not built yet.
#pragma once

#include <string>

namespace triggerctl {

struct Project {
  std::string dir;
  std::string language;  // c, cpp, rust, python, node
  std::string name;      // of the plugin; empty: that of `dir`
  bool minimal = false;  // a service that only greets, not the one that shows everything there is
};

int make_project(const Project& project);

}  // namespace triggerctl
