#include "package/values.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "base/file.hpp"
#include "base/text.hpp"
#include "config/parse_toml.hpp"
#include "package/durable.hpp"

namespace triggerd::package {
namespace {

namespace fs = std::filesystem;

constexpr std::array<std::string_view, 2> kFileKeys{"password_file", "proxy_password_file"};

void make_absolute(config::LocalAlias& alias, const fs::path& folder) {
  for (const std::string_view key : kFileKeys) {
    const auto file = alias.values.find(key);
    // A path that begins with a variable may turn out to be absolute.
    if (file == alias.values.end() || file->second.starts_with("${")) continue;
    file->second = (fs::absolute(folder) / file->second).lexically_normal().string();
  }
}

}  // namespace

Result<config::LocalValues> read_values(const fs::path& path,
                                        const config::Environment& environment) {
  config::Diagnostics diagnostics;
  const config::SourceFile file{.name = path.string(),
                                .folder = path.parent_path(),
                                .environment = environment,
                                .diagnostics = diagnostics};
  config::LocalValues values;
  const auto text = read_file(path, kMaxFile);
  if (!text) return tl::make_unexpected(text.error());
  if (const auto root = config::parse_toml(*text)) {
    values = config::read_local_values(file, *root);
  } else {
    file.error(root.error().spot, "{}", root.error().message);
  }
  if (!diagnostics.empty()) {
    std::string lines;
    for (const auto& found : std::move(diagnostics).sorted()) {
      lines += (lines.empty() ? "" : "\n") + config::to_string(found);
    }
    return fail("the values cannot be used:\n{}", lines);
  }
  for (auto& [name, alias] : values) make_absolute(alias, path.parent_path());
  return values;
}

Result<> add_value(std::string_view assignment, config::LocalValues& values) {
  const std::size_t equals = assignment.find('=');
  const std::string_view left = assignment.substr(0, equals);
  const std::size_t dot = left.rfind('.');
  if (equals == std::string_view::npos || dot == std::string_view::npos || dot == 0) {
    return fail("\"{}\" sets no value; write ALIAS.KEY=VALUE, such as plant.host=tcp://broker:1883",
                printable(left));
  }
  const std::string_view key = left.substr(dot + 1);
  if (std::find(config::kLocalKeys.begin(), config::kLocalKeys.end(), key) ==
      config::kLocalKeys.end()) {
    return fail("\"{}\" cannot be set for an alias; choose one of {}", printable(key),
                fmt::join(config::kLocalKeys, ", "));
  }
  const std::string_view value = assignment.substr(equals + 1);
  if (!is_utf8(value)) return fail("the value of {} is not UTF-8 text", printable(left));
  config::LocalAlias& alias = values[std::string(left.substr(0, dot))];
  alias.values.insert_or_assign(std::string(key), std::string(value));
  if (key.ends_with("password_file")) make_absolute(alias, fs::current_path());
  return {};
}

void merge_values(const config::LocalValues& newer, config::LocalValues& values) {
  for (const auto& [name, alias] : newer) {
    auto& kept = values[name].values;
    for (const auto& [key, value] : alias.values) {
      kept.erase(std::string(config::excluded_by(key)));
      kept.insert_or_assign(key, value);
    }
  }
}

std::string values_text(const config::LocalValues& values) {
  std::string text = "# This machine's values. They are kept when the package is upgraded.\n";
  for (const auto& [name, alias] : values) {
    text += fmt::format("\n[aliases.{}]\n", in_quotes(name));
    for (const auto& [key, value] : alias.values)
      text += fmt::format("{} = {}\n", key, in_quotes(value));
  }
  return text;
}

}  // namespace triggerd::package
