#include "config/config.hpp"

#include <algorithm>

namespace triggerd::config {
namespace {

template <class T>
const T* find_by_name(const std::vector<T>& items, std::string_view name) {
  const auto found =
      std::find_if(items.begin(), items.end(), [name](const T& item) { return item.name == name; });
  return found == items.end() ? nullptr : &*found;
}

}  // namespace

const Truststore* Config::find_truststore(std::string_view name) const {
  return find_by_name(truststores, name);
}

const Keystore* Config::find_keystore(std::string_view name) const {
  return find_by_name(keystores, name);
}

std::vector<std::filesystem::path> Config::plugin_dirs_for(std::string_view package) const {
  std::vector<std::filesystem::path> dirs;
  if (const Package* own = find_package(package)) {
    dirs.push_back(own->folder / "plugins");
    for (const Requirement& requirement : own->requirements) {
      const Package* required = find_package(requirement.name);
      if (required != nullptr) dirs.push_back(required->folder / "plugins");
    }
  }
  dirs.insert(dirs.end(), runtime.plugin_dirs.begin(), runtime.plugin_dirs.end());
  return dirs;
}

std::vector<Diagnostic> Config::package_problems() const {
  std::vector<Diagnostic> found;
  for (const Package& package : packages) {
    if (!package.enabled) continue;
    found.insert(found.end(), package.problems.begin(), package.problems.end());
  }
  return found;
}

const Package* Config::find_package(std::string_view name) const {
  return find_by_name(packages, name);
}

const Package* Config::package_at(const Place& place) const {
  const auto folder = std::filesystem::path(place.file).parent_path();
  for (const Package& package : packages) {
    if (package.folder == folder) return &package;
  }
  return nullptr;
}

const Alias* Config::find_alias(std::string_view name) const {
  return find_by_name(aliases, name);
}

const Trigger* Config::find_trigger(std::string_view name) const {
  return find_by_name(triggers, name);
}

}  // namespace triggerd::config
