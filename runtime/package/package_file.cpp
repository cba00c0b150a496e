#include "package/package_file.hpp"

#include <algorithm>
#include <set>

#include "base/file.hpp"
#include "base/text.hpp"
#include "config/parse_toml.hpp"
#include "config/table_reader.hpp"
#include "package/durable.hpp"

namespace triggerd::package {
namespace {

constexpr std::size_t kMaxName = 64;

using config::Node;
using config::SourceFile;
using config::TableReader;

// A package is the same everywhere, so nothing in this file comes from the environment.
std::optional<std::string> no_variable(const std::string&) {
  return std::nullopt;
}

void read_name(TableReader& reader, std::string_view example, std::string& target) {
  if (reader.get("name") == nullptr) reader.report_missing("name", example);
  const auto name = reader.text("name");
  if (!name) return;
  target = name->value;
  if (!is_package_name(target)) {
    reader.file().error(name->spot,
                        "\"{}\" is not a valid package name; use at most {} lower-case letters, "
                        "digits, \"_\" and \"-\", starting with a letter or digit",
                        name->shown, kMaxName);
  }
}

void read_need(const SourceFile& file, const Node& node, PackageFile& package) {
  if (node.as<Node::Table>() == nullptr) {
    file.error(node.spot, "an element of requires must be {{ name = \"...\" }}, not {}",
               config::type_name(node));
    return;
  }
  TableReader reader(file, node, "an element of requires");
  Need need{.name = {}, .versions = {}, .versions_text = {}, .place = file.place(node.spot)};
  read_name(reader, "name = \"thermometry\"", need.name);
  if (const auto versions = reader.text("version")) {
    need.versions_text = versions->value;
    if (auto range = parse_version_range(versions->value)) {
      need.versions = *std::move(range);
    } else {
      file.error(versions->spot, "version: {}", range.error().message);
    }
  }
  reader.report_unknown_keys();
  package.needs.push_back(std::move(need));
}

void read_needs(TableReader& reader, PackageFile& package) {
  const Node* node = reader.get("requires");
  if (node == nullptr) return;
  const SourceFile& file = reader.file();
  const auto* elements = node->as<Node::Array>();
  if (elements == nullptr) {
    file.error(node->spot, "requires must be an array of {{ name, version }}, not {}",
               config::type_name(*node));
    return;
  }
  std::set<std::string> seen;
  for (const Node& element : *elements) {
    const std::size_t before = package.needs.size();
    read_need(file, element, package);
    if (package.needs.size() == before) continue;
    const std::string& name = package.needs.back().name;
    if (!name.empty() && !seen.insert(name).second) {
      file.error(element.spot, "package \"{}\" is required already; write it once",
                 printable(name));
    }
  }
}

}  // namespace

bool is_package_name(std::string_view text) {
  const auto plain = [](char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9'); };
  return !text.empty() && text.size() <= kMaxName && plain(text[0]) &&
         std::all_of(text.begin(), text.end(),
                     [plain](char c) { return plain(c) || c == '_' || c == '-'; });
}

tl::expected<PackageFile, std::vector<config::Diagnostic>> read_package_file(
    const std::filesystem::path& folder, const std::string& shown) {
  config::Diagnostics diagnostics;
  const config::Environment environment = no_variable;
  const SourceFile file{
      .name = shown, .folder = folder, .environment = environment, .diagnostics = diagnostics};
  PackageFile package;
  const auto text = read_file(folder / kPackageFile, kMaxFile);
  if (!text) {
    file.error({}, "{}; a package is a folder with a package.toml", text.error().message);
  } else if (const auto root = config::parse_toml(*text); !root) {
    file.error(root.error().spot, "{}", root.error().message);
  } else {
    TableReader reader(file, *root, "package.toml");
    read_name(reader, "name = \"boilers\"", package.name);
    if (reader.get("version") == nullptr) reader.report_missing("version", "version = \"1.0.0\"");
    if (const auto version = reader.text("version")) {
      package.version_text = version->value;
      if (auto parsed = parse_version(version->value)) {
        package.version = *parsed;
      } else {
        file.error(version->spot, "version: {}", parsed.error().message);
      }
    }
    reader.string("description", package.description);
    read_needs(reader, package);
    reader.report_unknown_keys();
  }
  if (!diagnostics.empty()) return tl::make_unexpected(std::move(diagnostics).sorted());
  return package;
}

}  // namespace triggerd::package
