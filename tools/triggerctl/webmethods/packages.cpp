#include "webmethods/packages.hpp"

#include "base/text.hpp"
#include "package/version.hpp"

namespace triggerd::webmethods {
namespace {

constexpr const char* kVersion = "1.0.0";

// What the file says of it; null: nothing.
const ExportedPackage* described_package(const Exported& exported, const std::string& package) {
  const ExportedPackage* described = nullptr;
  for (const ExportedPackage& one : exported.packages) {
    if (one.name.given && one.name.value == package) described = &one;
  }
  return described;
}

// Says so if it is not the one there.
std::string version_of(Draft& draft, const Entry& entry, const ExportedPackage* described) {
  if (described != nullptr && package::parse_version(described->version.value)) {
    return described->version.value;
  }
  draft.differs(
      entry, "its version is {} here: {}", kVersion,
      described == nullptr || described->version.value.empty()
          ? std::string("the file does not say which")
          : fmt::format("\"{}\" is not a valid version here", printable(described->version.value)));
  return kVersion;
}

std::string package_toml(Remarks& remarks, const ExportedPackage* described,
                         const std::string& package, const std::string& name) {
  const Entry entry{fmt::format("package \"{}\"", printable(package)),
                    described == nullptr ? 1 : described->line};
  Draft draft(remarks);
  if (name != package) {
    draft.differs(
        entry,
        "it is called \"{}\" here: names consist of lower-case letters, digits, \"_\" and \"-\"",
        name);
  }
  if (described != nullptr && !described->enabled) {
    draft.differs(
        entry,
        "it was disabled; here it is enabled until you disable it: triggerctl package disable {}",
        name);
  }
  const std::string version = version_of(draft, entry, described);
  draft.toml.set_text("name", name);
  draft.toml.set_text("version", version);
  if (described != nullptr && !described->description.empty()) {
    draft.toml.set_text("description", described->description);
  }
  return std::move(draft.toml).take();
}

std::string requirements(const std::set<std::string>& required, const Names& names) {
  std::string needs;
  for (const std::string& needed : required) {
    needs += fmt::format("{}{{ name = {} }}", needs.empty() ? "" : ", ",
                         toml_string(names.find(needed)));
  }
  return needs.empty() ? needs : fmt::format("requires = [{}]\n", needs);
}

}  // namespace

std::vector<ImportedPackage> write_packages(Remarks& remarks, const Context& context,
                                            Members& members) {
  const std::vector<std::string> all = context.plan.packages();
  Names names;
  for (const std::string& package : all) names.give(package, as_package(package));
  std::vector<ImportedPackage> made;
  made.reserve(all.size());
  for (const std::string& package : all) {
    const std::string name = names.find(package);
    const ExportedPackage* const described = described_package(context.exported, package);
    std::string about = package_toml(remarks, described, package, name);
    about += requirements(context.plan.required_by(package), names);
    Draft draft(remarks);
    draft.toml.comment(fmt::format("Package \"{}\" of {}, made by triggerctl import-webmethods.",
                                   printable(package), context.options.file));
    members.write(draft, package);
    made.push_back({.name = name,
                    .package_toml = std::move(about),
                    .triggers_toml = std::move(draft.toml).take()});
  }
  return made;
}

}  // namespace triggerd::webmethods
