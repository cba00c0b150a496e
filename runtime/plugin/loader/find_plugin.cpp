#include <fmt/format.h>

#include <algorithm>
#include <string>
#include <system_error>

#include "base/text.hpp"
#include "plugin/plugin.hpp"

namespace triggerd::plugin {
namespace {

constexpr std::string_view kSuffix = ".so";

std::vector<std::string> plugins_in(const std::filesystem::path& dir) {
  std::vector<std::string> names;
  std::error_code error;
  for (std::filesystem::directory_iterator at(dir, error), end; !error && at != end;
       at.increment(error)) {
    if (at->path().extension() == kSuffix) names.push_back(at->path().stem().string());
  }
  std::sort(names.begin(), names.end());
  return names;
}

}  // namespace

Result<std::filesystem::path> find_plugin(const std::vector<std::filesystem::path>& dirs,
                                          std::string_view name) {
  if (name.empty() || name.find('/') != name.npos) {
    return fail("\"{}\" is not a plugin name: write the name of the file without \".so\"",
                printable(name));
  }
  const std::string file = fmt::format("{}{}", name, kSuffix);
  std::vector<std::string> looked;
  std::vector<std::string> present;
  for (const std::filesystem::path& dir : dirs) {
    std::error_code error;
    if (std::filesystem::exists(dir / file, error)) return dir / file;
    const bool folder = std::filesystem::is_directory(dir, error);
    looked.push_back(folder ? dir.string() : fmt::format("{} (no such folder)", dir.string()));
    for (std::string& other : plugins_in(dir)) present.push_back(std::move(other));
  }
  const std::string where = looked.empty() ? "nowhere: plugin_dirs is empty"
                                           : fmt::format("in {}", fmt::join(looked, ", "));
  const std::vector<std::string_view> candidates(present.begin(), present.end());
  const std::string meant = closest(name, candidates);
  return fail("no plugin \"{}\": looked for {} {}{}", printable(name), printable(file), where,
              meant.empty() ? "; build it there, or add its folder to plugin_dirs"
                            : fmt::format("; did you mean \"{}\"?", meant));
}

}  // namespace triggerd::plugin
