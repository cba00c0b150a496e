#include "control/running/package_failures.hpp"

#include "config/load.hpp"

namespace triggerd::control {

void PackageFailures::add(const std::string& package, config::Diagnostic diagnostic) {
  found_[package].push_back(std::move(diagnostic));
}

void PackageFailures::spread() {
  // In this order a package stands behind those that it requires.
  for (const config::Package& package : config_->packages) {
    if (!package.enabled) continue;
    for (const config::Requirement& requirement : package.requirements) {
      if (!contains(requirement.name)) continue;
      add(package.name,
          {requirement.place, fmt::format("package \"{}\" requires package \"{}\", which is broken",
                                          package.name, requirement.name)});
    }
  }
}

void PackageFailures::report(Log& log) const {
  for (const config::Package& package : config_->packages) {
    if (!package.enabled) {
      log.info("package.disabled", {{"package", package.name}},
               "disabled: none of its aliases and triggers run");
    } else if (problems_of(package).empty()) {
      log.info("package.enabled", {{"package", package.name}}, "version {}", package.version);
    }
  }
  report_broken(log);
}

void PackageFailures::report_broken(Log& log) const {
  for (const config::Package& package : config_->packages) {
    if (!package.enabled) continue;
    std::vector<config::Diagnostic> problems = package.problems;
    const std::vector<config::Diagnostic>& found = of(package.name);
    problems.insert(problems.end(), found.begin(), found.end());
    for (const config::Diagnostic& problem : problems) {
      log.error("package.broken", {{"package", package.name}},
                "none of its aliases and triggers run: {}: {}", config::to_string(problem.place),
                problem.message);
    }
  }
}

const std::vector<config::Diagnostic>& PackageFailures::of(const std::string& package) const {
  static const std::vector<config::Diagnostic> none;
  const auto found = found_.find(package);
  return found == found_.end() ? none : found->second;
}

std::vector<std::string> PackageFailures::problems_of(const config::Package& package) const {
  std::vector<std::string> texts;
  for (const config::Diagnostic& problem : package.problems) {
    texts.push_back(config::to_string(problem));
  }
  for (const config::Diagnostic& problem : of(package.name)) {
    texts.push_back(config::to_string(problem));
  }
  return texts;
}

bool PackageFailures::any() const {
  return !found_.empty() || !config_->package_problems().empty();
}

bool PackageFailures::takes_out(const config::Trigger& trigger) const {
  const config::Alias* alias = config_->find_alias(trigger.alias);
  return contains(trigger.package) || (alias != nullptr && contains(alias->package));
}

}  // namespace triggerd::control
