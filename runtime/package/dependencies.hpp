// Which packages there are, and in which order they are loaded.
#pragma once

#include <filesystem>
#include <set>
#include <string>
#include <vector>

#include "base/result.hpp"
#include "config/package.hpp"

namespace triggerd::package {

// A folder that may be a package, and its name.
struct Candidate {
  std::string name;
  std::filesystem::path folder;
  std::filesystem::path staged_in;  // where its files are during its installation; else empty
  bool enabled = true;
};

// Every folder in `packages_dir` except hidden ones, sorted by name; none if `packages_dir` does
// not exist.
Result<std::vector<Candidate>> find_candidates(const std::filesystem::path& packages_dir,
                                               const std::set<std::string>& disabled);

// Reads the package.toml of each candidate and sorts the packages: enabled ones first, each after
// those it requires, otherwise by name. Reports these problems of enabled packages: a package.toml
// with errors; a required package that is missing, disabled or has the wrong version; packages that
// require each other in a cycle.
std::vector<config::Package> resolve(const std::vector<Candidate>& candidates);

}  // namespace triggerd::package
