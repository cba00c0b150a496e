#include "control/services/definition_text.hpp"

#include <fmt/format.h>

#include <optional>
#include <string>

#include "config/managed_rules.hpp"
#include "config/parse_toml.hpp"
#include "config/write_tree.hpp"

namespace triggerd::control {
namespace {

management::AdminError invalid(std::string message) {
  return {management::AdminError::Kind::invalid, std::move(message), {}};
}

management::Outcome<config::Node> table_of(const management::DefinitionText& text) {
  if (text.format == management::DefinitionText::Format::json) {
    auto table = config::parse_json_table(text.text);
    if (!table) {
      return tl::make_unexpected(invalid("the definition: " + table.error().message));
    }
    return *std::move(table);
  }
  auto table = config::parse_toml(text.text);
  if (!table) {
    management::AdminError wrong = invalid("the definition is not valid TOML");
    wrong.problems.push_back({.file = {},
                              .line = table.error().spot.line,
                              .column = table.error().spot.column,
                              .key = {},
                              .message = table.error().message});
    return tl::make_unexpected(std::move(wrong));
  }
  return *std::move(table);
}

const std::string* text_at(const config::Node& table, std::string_view key) {
  for (const config::Member& member : *table.as<config::Node::Table>()) {
    if (member.key == key) return member.value.as<std::string>();
  }
  return nullptr;
}

// "[[triggers]] has no alias; write ...": the key that is missing.
std::string missing_key(const std::string& message) {
  constexpr std::string_view kHasNo = "] has no ";
  const std::size_t at = message.find(kHasNo);
  if (at == std::string::npos) return {};
  const std::size_t begin = at + kHasNo.size();
  return message.substr(begin, message.find(';', begin) - begin);
}

management::Outcome<config::Node> definition_table(const management::DefinitionChange& change) {
  auto table = table_of(change.text);
  if (!table) return table;
  const std::string* name = text_at(*table, "name");
  if (name != nullptr && *name != change.name) {
    management::AdminError wrong = invalid(
        fmt::format("the definition is named \"{}\", but the request changes \"{}\"; a definition "
                    "cannot be renamed: create a new one, and delete the old one",
                    *name, change.name));
    wrong.problems.push_back({.file = {},
                              .line = 0,
                              .column = 0,
                              .key = "name",
                              .message = fmt::format("must be \"{}\"", change.name)});
    return tl::make_unexpected(std::move(wrong));
  }
  return table;
}

}  // namespace

config::Defined kind_of(management::DefinitionKind kind) {
  return kind == management::DefinitionKind::alias ? config::Defined::alias
                                                   : config::Defined::trigger;
}

std::string_view word(management::DefinitionKind kind) {
  return kind == management::DefinitionKind::alias ? "alias" : "trigger";
}

management::Outcome<config::Node> table_to_keep(const management::DefinitionChange& change,
                                                const config::Config& all,
                                                const config::Node* before) {
  auto table = definition_table(change);
  if (!table) return table;
  const config::DefinitionRules rules{.files_below = all.admin.manage_files,
                                      .state_dir = all.runtime.state_dir,
                                      .any_file = !change.text.confined};
  const auto against = config::take_definition(kind_of(change.kind), before, *table, rules);
  if (against.empty()) return table;
  management::AdminError wrong =
      invalid(fmt::format("{} \"{}\" is not valid", word(change.kind), change.name));
  for (const config::AgainstRules& one : against) {
    wrong.problems.push_back(
        {.file = {}, .line = 0, .column = 0, .key = one.key, .message = one.message});
  }
  return tl::make_unexpected(std::move(wrong));
}

management::AdminError error_of_definition(const management::AdminError& found,
                                           const config::ManagedFile& managed,
                                           const management::DefinitionChange& change) {
  management::AdminError reported = found;
  const auto root = config::parse_toml(managed.text());
  const config::Node* definition = nullptr;
  std::optional<config::ManagedFile> parsed;
  if (root) {
    parsed = config::ManagedFile::of(managed.path(), *root);
    definition = parsed->find(kind_of(change.kind), change.name);
  }
  bool own = false;
  for (management::AdminProblem& problem : reported.problems) {
    if (definition == nullptr || problem.file != managed.path().string()) continue;
    const config::Spot spot{problem.line, problem.column};
    problem.key = config::key_at(*definition, spot);
    const bool of_the_table = problem.key.empty() && definition->spot.line == spot.line;
    if (problem.key.empty() && !of_the_table) continue;
    if (of_the_table) problem.key = missing_key(problem.message);
    problem.file.clear();
    problem.line = 0;
    problem.column = 0;
    own = true;
  }
  reported.message =
      own ? fmt::format("{} \"{}\" is not valid", word(change.kind), change.name)
          : fmt::format(
                "{} \"{}\" cannot be {}: {}", word(change.kind), change.name,
                change.verb == management::DefinitionChange::Verb::remove ? "deleted" : "accepted",
                reported.problems.empty() ? reported.message : reported.problems.front().message);
  if (change.verb == management::DefinitionChange::Verb::remove)
    reported.kind = management::AdminError::Kind::conflict;
  return reported;
}

}  // namespace triggerd::control
