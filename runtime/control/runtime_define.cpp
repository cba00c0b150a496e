// Runtime: definitions that an administrator makes. They stand in STATE_DIR/managed.toml, and are
// checked and taken as a changed file would be.
#include <fmt/format.h>

#include <algorithm>

#include "config/managed_rules.hpp"
#include "config/parse_toml.hpp"
#include "config/write_tree.hpp"
#include "control/runtime.hpp"

namespace triggerd::control {
namespace {

management::AdminError error(management::AdminError::Kind kind, std::string message) {
  return {kind, std::move(message), {}};
}

config::Defined kind_of(management::DefinitionKind kind) {
  return kind == management::DefinitionKind::alias ? config::Defined::alias
                                                   : config::Defined::trigger;
}

std::string_view word(management::DefinitionKind kind) {
  return kind == management::DefinitionKind::alias ? "alias" : "trigger";
}

management::Outcome<config::Node> table_of(const management::DefinitionText& text) {
  if (text.format == management::DefinitionText::Format::json) {
    auto table = config::parse_json_table(text.text);
    if (!table) {
      return tl::make_unexpected(
          error(management::AdminError::Kind::invalid, "the definition: " + table.error().message));
    }
    return *std::move(table);
  }
  auto table = config::parse_toml(text.text);
  if (!table) {
    management::AdminError wrong =
        error(management::AdminError::Kind::invalid, "the definition is not valid TOML");
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

// Where an alias cannot be deleted because triggers use it: which. Else nothing.
std::optional<management::AdminError> alias_in_use(const management::AdminError& refusal,
                                                   const config::Config& config,
                                                   const std::string& alias) {
  constexpr std::size_t kNamed = 5;
  for (const management::AdminProblem& problem : refusal.problems) {
    if (!problem.message.starts_with("there is no alias \"")) return std::nullopt;
  }
  std::vector<std::string> users;
  for (const config::Trigger& trigger : config.triggers) {
    if (trigger.alias == alias) users.push_back(fmt::format("\"{}\"", trigger.name));
  }
  if (users.empty()) return std::nullopt;
  std::string use = fmt::format("trigger {} uses it; first delete that", users.front());
  if (users.size() > 1) {
    std::string last = users.back();
    users.pop_back();
    if (users.size() > kNamed) {
      last = fmt::format("{} more", users.size() + 1 - kNamed);
      users.resize(kNamed);
    }
    use =
        fmt::format("triggers {} and {} use it; first delete those", fmt::join(users, ", "), last);
  }
  return error(
      management::AdminError::Kind::conflict,
      fmt::format("alias \"{}\" cannot be deleted: {}, or write another alias there", alias, use));
}

}  // namespace

management::AdminError Runtime::may_not_manage() {
  return error(management::AdminError::Kind::refused,
               "definitions may not be changed at run time here; write manage = true in [admin] of "
               "the runtime's triggers.toml");
}

management::Outcome<config::Node> Runtime::definition_table(
    const management::DefinitionChange& change) {
  auto table = table_of(change.text);
  if (!table) return table;
  const std::string* name = text_at(*table, "name");
  if (name != nullptr && *name != change.name) {
    management::AdminError wrong = error(
        management::AdminError::Kind::invalid,
        fmt::format("the definition is named \"{}\", and \"{}\" is what is to be changed; a "
                    "definition cannot be renamed: create the new one, and delete the old one",
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

// The table of what is to replace `before`, with the secrets that it keeps.
management::Outcome<config::Node> Runtime::table_to_keep(const management::DefinitionChange& change,
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
      error(management::AdminError::Kind::invalid,
            fmt::format("{} \"{}\" is not valid", word(change.kind), change.name));
  for (const config::AgainstRules& one : against) {
    wrong.problems.push_back(
        {.file = {}, .line = 0, .column = 0, .key = one.key, .message = one.message});
  }
  return tl::make_unexpected(std::move(wrong));
}

// What is wrong with the definition says its key; what is wrong elsewhere because of it, its place.
management::AdminError Runtime::error_of_definition(const management::AdminError& found,
                                                    const config::ManagedFile& managed,
                                                    const management::DefinitionChange& change) {
  management::AdminError told = found;
  const auto root = config::parse_toml(managed.text());
  const config::Node* definition = nullptr;
  std::optional<config::ManagedFile> parsed;
  if (root) {
    parsed = config::ManagedFile::of(managed.path(), *root);
    definition = parsed->find(kind_of(change.kind), change.name);
  }
  bool own = false;
  for (management::AdminProblem& problem : told.problems) {
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
  told.message =
      own ? fmt::format("{} \"{}\" is not valid", word(change.kind), change.name)
          : fmt::format(
                "{} \"{}\" cannot be {}: {}", word(change.kind), change.name,
                change.verb == management::DefinitionChange::Verb::remove ? "deleted" : "taken",
                told.problems.empty() ? told.message : told.problems.front().message);
  if (change.verb == management::DefinitionChange::Verb::remove)
    told.kind = management::AdminError::Kind::conflict;
  return told;
}

// [control]
management::Outcome<management::ReloadReport> Runtime::change_now(
    const management::DefinitionChange& change, const management::Actor& by) {
  using Verb = management::DefinitionChange::Verb;
  using Kind = management::AdminError::Kind;
  const ConfigPtr all = config();
  if (!all->admin.manage) return tl::make_unexpected(may_not_manage());
  const bool is_alias = change.kind == management::DefinitionKind::alias;
  const config::Alias* alias = is_alias ? all->find_alias(change.name) : nullptr;
  const config::Trigger* trigger = is_alias ? nullptr : all->find_trigger(change.name);
  const bool exists = alias != nullptr || trigger != nullptr;
  auto managed = config::ManagedFile::read(all->runtime.state_dir / config::kManagedFile);
  if (!managed) return tl::make_unexpected(error(Kind::failed, managed.error().message));
  const config::Node* before = managed->find(kind_of(change.kind), change.name);
  if (exists && change.verb == Verb::create) {
    return tl::make_unexpected(
        error(Kind::conflict,
              fmt::format("{} \"{}\" is there already, at {}", word(change.kind), change.name,
                          config::to_string(is_alias ? alias->place : trigger->place))));
  }
  if (!exists && change.verb != Verb::create) {
    return tl::make_unexpected(error(
        Kind::not_found, fmt::format("there is no {} \"{}\"", word(change.kind), change.name)));
  }
  if (exists && before == nullptr) {
    return tl::make_unexpected(error(
        Kind::conflict,
        fmt::format("{} \"{}\" is read-only: it is defined at {}; change it there, and reload",
                    word(change.kind), change.name,
                    config::to_string(is_alias ? alias->place : trigger->place))));
  }
  if (change.verb == Verb::remove) {
    (void)managed->remove(kind_of(change.kind), change.name);
  } else {
    auto table = table_to_keep(change, *all, before);
    if (!table) return tl::make_unexpected(table.error());
    managed->put(kind_of(change.kind), change.name, *std::move(table));
  }
  auto done = reload_now(managed->text(), change.check_only, [&] { return managed->write(); });
  if (!done) {
    if (done.error().problems.empty()) return done;
    if (is_alias && change.verb == Verb::remove) {
      if (auto in_use = alias_in_use(done.error(), *all, change.name)) {
        return tl::make_unexpected(*std::move(in_use));
      }
    }
    return tl::make_unexpected(error_of_definition(done.error(), *managed, change));
  }
  if (!change.check_only) {
    log_.info(is_alias ? "alias.changed" : "trigger.changed",
              {{is_alias ? "alias" : "trigger", change.name}}, "{} by {}",
              change.verb == Verb::create    ? "created"
              : change.verb == Verb::replace ? "replaced"
                                             : "deleted",
              by);
  }
  return done;
}

// [control] Its definition is the runtime's own to write, and enabling is not defining: it needs no
// [admin] manage.
management::Outcome<> Runtime::enable_in_managed_file(management::DefinitionKind kind,
                                                      std::string_view name) {
  const auto failed = [](const Error& why) {
    return tl::make_unexpected(error(management::AdminError::Kind::failed, why.message));
  };
  auto managed = config::ManagedFile::read(config()->runtime.state_dir / config::kManagedFile);
  if (!managed) return failed(managed.error());
  const config::Node* found = managed->find(kind_of(kind), name);
  if (found == nullptr) return {};
  config::Node table = *found;
  bool was_disabled = false;
  for (config::Member& member : std::get<config::Node::Table>(table.value)) {
    const bool* enabled = member.key == "enabled" ? member.value.as<bool>() : nullptr;
    if (enabled == nullptr || *enabled) continue;
    member.value.value = true;
    was_disabled = true;
  }
  if (!was_disabled) return {};
  managed->put(kind_of(kind), name, std::move(table));
  auto done = reload_now(managed->text(), false, [&] { return managed->write(); });
  if (!done) return tl::make_unexpected(done.error());
  if (!done->failures.empty()) return failed({done->failures.front()});
  return {};
}

management::Outcome<management::ReloadReport> Runtime::change_definition(
    const management::DefinitionChange& change, const management::Actor& by) {
  return on_control([&] { return change_now(change, by); });
}

}  // namespace triggerd::control
