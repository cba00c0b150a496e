// Which package each alias and trigger goes to, and which packages each of these requires.
#pragma once

#include <map>
#include <set>
#include <string>
#include <vector>

#include "webmethods/exported.hpp"

namespace triggerd::webmethods {

// Whether it is a package at all: not none, and not the one that everything else belongs to there.
bool is_of_package(const std::string& package);

// A package may use only its own aliases, those of packages that it requires, and those of no
// package; and unlike there, packages cannot require each other in a cycle. An alias that would
// make one goes to no package.
class PackagePlan {
 public:
  // `exported` outlives it. `flat`: nothing goes to a package.
  PackagePlan(const Exported& exported, bool flat);

  // Empty: to no package.
  std::string of(const ExportedAlias& alias) const;
  std::string of(const ExportedTrigger& trigger) const;
  // The package that also uses the alias, and is why it cannot stay in its own; null: it stays.
  const std::string* moved_for(const ExportedAlias& alias) const;
  // The packages that something goes to, in the order of the file.
  std::vector<std::string> packages() const;
  std::set<std::string> required_by(const std::string& package) const;

 private:
  const ExportedAlias* alias_of(const ExportedTrigger& trigger) const;
  bool reaches(const std::string& from, const std::string& to) const;
  void move_aliases();
  void note_requirements();

  const Exported& exported_;
  const bool flat_;
  std::map<std::string, std::set<std::string>> required_;
  std::map<const ExportedAlias*, std::string> moved_;
};

}  // namespace triggerd::webmethods
