// Packages that turn out broken while the runtime is made: none of their aliases and triggers run,
// nor those of packages that require them; everything else does.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "base/log.hpp"
#include "config/config.hpp"

namespace triggerd::control {

// Used by one thread at a time.
class PackageFailures {
 public:
  explicit PackageFailures(std::shared_ptr<const config::Config> config)
      : config_(std::move(config)) {}

  void add(const std::string& package, config::Diagnostic diagnostic);
  // Once all are added: packages that require a broken one are broken too.
  void spread();
  // One line for each package, and one for each thing that is wrong with it.
  void report(Log& log) const;
  // Those of the lines above that are errors.
  void report_broken(Log& log) const;

  // All that is wrong with it, including what was wrong when it was read.
  std::vector<std::string> problems_of(const config::Package& package) const;
  // What was added for it.
  const std::vector<config::Diagnostic>& of(const std::string& package) const;
  // Whether any package that is enabled does not run.
  bool any() const;
  // Whether what this package carries is left out. False for the empty name.
  bool contains(const std::string& package) const { return found_.count(package) > 0; }
  // The same for a trigger: because of its own package, or of that of its alias.
  bool takes_out(const config::Trigger& trigger) const;

 private:
  std::shared_ptr<const config::Config> config_;
  std::map<std::string, std::vector<config::Diagnostic>> found_;  // by package
};

}  // namespace triggerd::control
