// Packages: what belongs to a package there belongs to one here.
#include <algorithm>
#include <cctype>

#include "base/text.hpp"
#include "package/version.hpp"
#include "webmethods/convert.hpp"

namespace triggerd::webmethods {
namespace {

constexpr const char* kVersion = "1.0.0";

bool is_of_package(const std::string& package) {
  return !package.empty() && package != kMainPackage;
}

}  // namespace

const ExportedAlias* Conversion::alias_of(const ExportedTrigger& trigger) const {
  for (const ExportedAlias& alias : exported_.aliases) {
    if (alias.name.given && alias.name.value == trigger.alias.value) return &alias;
  }
  return nullptr;
}

std::string Conversion::package_of(const ExportedAlias& alias) const {
  const bool here = options_.flat || !is_of_package(alias.package) || moved_.count(&alias) > 0;
  return here ? std::string() : alias.package;
}

std::string Conversion::package_of(const ExportedTrigger& trigger) const {
  return options_.flat || !is_of_package(trigger.package) ? std::string() : trigger.package;
}

// A package may use only its own aliases, those of packages that it requires, and those of no
// package; and unlike there, packages cannot require each other in a cycle.
void Conversion::plan_packages() {
  const auto reaches = [&](const std::string& from, const std::string& to) {
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
  };
  for (const ExportedTrigger& trigger : exported_.triggers) {
    const ExportedAlias* alias = alias_of(trigger);
    const std::string user = package_of(trigger);
    const std::string owner = alias == nullptr ? std::string() : package_of(*alias);
    if (user.empty() || owner.empty() || user == owner) continue;
    if (reaches(owner, user)) {
      moved_.emplace(alias, user);
    } else {
      required_[user].insert(owner);
    }
  }
  // Drops requirements that were only for an alias that has moved since.
  required_.clear();
  for (const ExportedTrigger& trigger : exported_.triggers) {
    const ExportedAlias* alias = alias_of(trigger);
    const std::string user = package_of(trigger);
    const std::string owner = alias == nullptr ? std::string() : package_of(*alias);
    if (!user.empty() && !owner.empty() && user != owner) required_[user].insert(owner);
  }
}

void Conversion::write_package(const Entry& entry, const std::string& package) {
  if (!options_.flat || !is_of_package(package)) return;
  differs(entry,
          "it belongs to package \"{}\", which switches it on and off there; with -o it becomes "
          "a package here, see docs/guides/packages.md",
          printable(package));
}

std::vector<ImportedPackage> Conversion::write_packages() {
  std::vector<std::string> there;  // in the order of the file
  const auto add = [&there](const std::string& package) {
    if (package.empty() || std::find(there.begin(), there.end(), package) != there.end()) return;
    there.push_back(package);
  };
  for (const ExportedAlias& alias : exported_.aliases) add(package_of(alias));
  for (const ExportedTrigger& trigger : exported_.triggers) add(package_of(trigger));
  Names names;
  for (const std::string& package : there) names.give(package, as_package(package));
  std::vector<ImportedPackage> packages;
  packages.reserve(there.size());
  for (const std::string& package : there) {
    ImportedPackage made = write_one_package(package, names.find(package));
    std::string needs;
    for (const std::string& needed : required_[package]) {
      needs += fmt::format("{}{{ name = {} }}", needs.empty() ? "" : ", ",
                           toml_string(names.find(needed)));
    }
    if (!needs.empty()) made.package_toml += fmt::format("requires = [{}]\n", needs);
    packages.push_back(std::move(made));
  }
  return packages;
}

ImportedPackage Conversion::write_one_package(const std::string& package, const std::string& name) {
  const ExportedPackage* described = nullptr;
  for (const ExportedPackage& one : exported_.packages) {
    if (one.name.given && one.name.value == package) described = &one;
  }
  const Entry entry{fmt::format("package \"{}\"", printable(package)),
                    described == nullptr ? 1 : described->line};
  toml_ = TomlWriter();
  if (name != package) {
    differs(
        entry,
        "it is called \"{}\" here: names consist of lower-case letters, digits, \"_\" and \"-\"",
        name);
  }
  if (described != nullptr && !described->enabled) {
    differs(
        entry,
        "it was disabled; here it is enabled until you disable it: triggerctl package disable {}",
        name);
  }
  std::string version = kVersion;
  if (described != nullptr && package::parse_version(described->version.value)) {
    version = described->version.value;
  } else {
    differs(entry, "its version is {} here: {}", kVersion,
            described == nullptr || described->version.value.empty()
                ? std::string("the file does not say which")
                : fmt::format("\"{}\" is not a valid version here",
                              printable(described->version.value)));
  }
  toml_.set_text("name", name);
  toml_.set_text("version", version);
  if (described != nullptr && !described->description.empty()) {
    toml_.set_text("description", described->description);
  }
  ImportedPackage made{.name = name, .package_toml = std::move(toml_).take(), .triggers_toml = {}};
  toml_ = TomlWriter();
  toml_.comment(fmt::format("Package \"{}\" of {}, made by triggerctl import-webmethods.",
                            printable(package), options_.file));
  write_members(package);
  made.triggers_toml = std::move(toml_).take();
  return made;
}

}  // namespace triggerd::webmethods
