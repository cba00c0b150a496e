// Which packages there are, and in which order they are loaded.
#pragma once

#include <filesystem>
#include <set>
#include <string>
#include <vector>

#include "base/result.hpp"
#include "config/config.hpp"

namespace triggerd::package {

// A folder that may be a package, named after it.
struct Candidate {
  std::string name;
  std::filesystem::path folder;
  std::filesystem::path staged_in;  // where its files are while it is installed; else empty
  bool enabled = true;
};

// Every folder in `packages_dir` but the hidden ones, in name order; none where it does not exist.
Result<std::vector<Candidate>> find_candidates(const std::filesystem::path& packages_dir,
                                               const std::set<std::string>& disabled);

// Reads their package.toml and puts them in order: enabled ones first, each behind those that it
// requires, else by name. Problems are told of packages that are enabled: a package.toml that is
// wrong; a required package that is missing, disabled, or of another version; packages that require
// each other in a circle.
std::vector<config::Package> resolve(const std::vector<Candidate>& candidates);

}  // namespace triggerd::package
