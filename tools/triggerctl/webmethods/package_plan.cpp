#include "webmethods/package_plan.hpp"

#include <algorithm>

namespace triggerd::webmethods {

bool is_of_package(const std::string& package) {
  return !package.empty() && package != kMainPackage;
}

PackagePlan::PackagePlan(const Exported& exported, bool flat) : exported_(exported), flat_(flat) {
  move_aliases();
  note_requirements();
}

const ExportedAlias* PackagePlan::alias_of(const ExportedTrigger& trigger) const {
  for (const ExportedAlias& alias : exported_.aliases) {
    if (alias.name.given && alias.name.value == trigger.alias.value) return &alias;
  }
  return nullptr;
}

std::string PackagePlan::of(const ExportedAlias& alias) const {
  const bool here = flat_ || !is_of_package(alias.package) || moved_for(alias) != nullptr;
  return here ? std::string() : alias.package;
}

std::string PackagePlan::of(const ExportedTrigger& trigger) const {
  return flat_ || !is_of_package(trigger.package) ? std::string() : trigger.package;
}

const std::string* PackagePlan::moved_for(const ExportedAlias& alias) const {
  const auto moved = moved_.find(&alias);
  return moved == moved_.end() ? nullptr : &moved->second;
}

std::vector<std::string> PackagePlan::packages() const {
  std::vector<std::string> found;
  const auto add = [&found](const std::string& package) {
    if (package.empty() || std::find(found.begin(), found.end(), package) != found.end()) return;
    found.push_back(package);
  };
  for (const ExportedAlias& alias : exported_.aliases) add(of(alias));
  for (const ExportedTrigger& trigger : exported_.triggers) add(of(trigger));
  return found;
}

std::set<std::string> PackagePlan::required_by(const std::string& package) const {
  const auto found = required_.find(package);
  return found == required_.end() ? std::set<std::string>() : found->second;
}

// Whether `from` requires `to`, or a package that does.
bool PackagePlan::reaches(const std::string& from, const std::string& to) const {
  std::set<std::string> seen;
  std::vector<std::string> open{from};
  while (!open.empty()) {
    const std::string at = std::move(open.back());
    open.pop_back();
    if (at == to) return true;
    if (!seen.insert(at).second) continue;
    const auto needs = required_.find(at);
    if (needs != required_.end())
      open.insert(open.end(), needs->second.begin(), needs->second.end());
  }
  return false;
}

void PackagePlan::move_aliases() {
  for (const ExportedTrigger& trigger : exported_.triggers) {
    const ExportedAlias* alias = alias_of(trigger);
    const std::string user = of(trigger);
    const std::string owner = alias == nullptr ? std::string() : of(*alias);
    if (user.empty() || owner.empty() || user == owner) continue;
    if (reaches(owner, user)) {
      moved_.emplace(alias, user);
    } else {
      required_[user].insert(owner);
    }
  }
}

// Anew, without those that were only for an alias that has moved since.
void PackagePlan::note_requirements() {
  required_.clear();
  for (const ExportedTrigger& trigger : exported_.triggers) {
    const ExportedAlias* alias = alias_of(trigger);
    const std::string user = of(trigger);
    const std::string owner = alias == nullptr ? std::string() : of(*alias);
    if (!user.empty() && !owner.empty() && user != owner) required_[user].insert(owner);
  }
}

}  // namespace triggerd::webmethods
