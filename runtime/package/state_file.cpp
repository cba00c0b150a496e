#include "package/state_file.hpp"

#include <fmt/format.h>

#include "base/file.hpp"
#include "config/parse_toml.hpp"
#include "package/durable.hpp"
#include "package/package_file.hpp"

namespace triggerd::package {
namespace {

namespace fs = std::filesystem;
using config::Node;

}  // namespace

Result<std::set<std::string>> read_disabled(const fs::path& state_dir) {
  const fs::path path = state_dir / kStateFile;
  std::set<std::string> disabled;
  std::error_code error;
  if (!fs::exists(fs::symlink_status(path, error))) return disabled;
  const auto damaged = [](std::string_view why) {
    return fail("it does not say which packages are disabled: {}; remove it to enable all packages",
                why);
  };
  const auto text = read_file(path, kMaxFile);
  if (!text) return damaged(text.error().message);
  const auto root = config::parse_toml(*text);
  if (!root) return damaged(root.error().message);
  for (const config::Member& member : *root->as<Node::Table>()) {
    const auto* names = member.value.as<Node::Array>();
    if (member.key != "disabled" || names == nullptr) return damaged("it has other keys");
    for (const Node& name : *names) {
      const auto* said = name.as<std::string>();
      if (said == nullptr) return damaged("a name in it is not a string");
      disabled.insert(*said);
    }
  }
  return disabled;
}

Result<> write_disabled(const fs::path& state_dir, const std::set<std::string>& disabled) {
  std::error_code error;
  if (state_dir.has_parent_path()) fs::create_directories(state_dir.parent_path(), error);
  if (error) return fail("cannot create {}: {}", state_dir.string(), error.message());
  if (auto made = make_folder(state_dir, 0700); !made) return tl::make_unexpected(made.error());
  std::string text = "# Written by triggerd.\ndisabled = [";
  for (const std::string& name : disabled) {
    // Only names of packages get here, and they need no escapes.
    text += fmt::format("{}\"{}\"", text.ends_with('[') ? "" : ", ", name);
  }
  return write_file(state_dir / kStateFile, text + "]\n");
}

}  // namespace triggerd::package
