// A package as the configuration sees it.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "config/place.hpp"

namespace triggerd::config {

// A package that another one requires, and where that is written.
struct Requirement {
  std::string name;
  Place place;
};

// A package as it was found, whether or not it could be loaded. If it has `problems`, nothing that
// it carries is in the Config.
struct Package {
  std::string name;
  std::string version;  // empty if its package.toml cannot be read
  std::string description;
  std::filesystem::path folder;
  std::filesystem::path staged_in;  // where its files are during its installation; else empty
  bool enabled = true;              // false: nothing that it carries is enabled
  std::vector<Requirement> requirements;
  std::vector<Diagnostic> problems;
};

}  // namespace triggerd::config
