#include "control/services/definitions.hpp"

#include <fmt/format.h>

#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "config/load.hpp"
#include "config/managed.hpp"
#include "control/running/admin_errors.hpp"
#include "control/services/definition_text.hpp"

namespace triggerd::control {
namespace {

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
  std::string use =
      fmt::format("trigger {} uses it; delete that first, or give it another alias", users.front());
  if (users.size() > 1) {
    std::string last = users.back();
    users.pop_back();
    if (users.size() > kNamed) {
      last = fmt::format("{} more", users.size() + 1 - kNamed);
      users.resize(kNamed);
    }
    use = fmt::format("triggers {} and {} use it; delete those first, or give them another alias",
                      fmt::join(users, ", "), last);
  }
  return management::AdminError{management::AdminError::Kind::conflict,
                                fmt::format("alias \"{}\" cannot be deleted: {}", alias, use),
                                {}};
}

}  // namespace

management::Outcome<management::ReloadReport> Definitions::change_definition(
    const management::DefinitionChange& change, const management::Actor& by) {
  return needs_.control.run([&] { return change_now(change, by); });
}

management::Outcome<management::ReloadReport> Definitions::reload(const management::Actor& by) {
  return needs_.control.run([&] { return needs_.reloader.reload(by); });
}

management::Outcome<management::ReloadReport> Definitions::change_now(
    const management::DefinitionChange& change, const management::Actor& by) {
  using Verb = management::DefinitionChange::Verb;
  using Kind = management::AdminError::Kind;
  const ConfigPtr all = needs_.registry.config();
  if (!all->admin.manage) return may_not_manage();
  const bool is_alias = change.kind == management::DefinitionKind::alias;
  const config::Alias* alias = is_alias ? all->find_alias(change.name) : nullptr;
  const config::Trigger* trigger = is_alias ? nullptr : all->find_trigger(change.name);
  const bool exists = alias != nullptr || trigger != nullptr;
  auto managed = config::ManagedFile::read(all->runtime.state_dir / config::kManagedFile);
  if (!managed) return failed(managed.error());
  const config::Node* before = managed->find(kind_of(change.kind), change.name);
  if (exists && change.verb == Verb::create) {
    return refused_as(Kind::conflict,
                      fmt::format("{} \"{}\" already exists, at {}", word(change.kind), change.name,
                                  config::to_string(is_alias ? alias->place : trigger->place)));
  }
  if (!exists && change.verb != Verb::create) {
    return refused_as(Kind::not_found,
                      fmt::format("there is no {} \"{}\"", word(change.kind), change.name));
  }
  if (exists && before == nullptr) {
    return refused_as(
        Kind::conflict,
        fmt::format("{} \"{}\" is read-only: it is defined at {}; change it there, and reload",
                    word(change.kind), change.name,
                    config::to_string(is_alias ? alias->place : trigger->place)));
  }
  if (change.verb == Verb::remove) {
    (void)managed->remove(kind_of(change.kind), change.name);
  } else {
    auto table = table_to_keep(change, *all, before);
    if (!table) return tl::make_unexpected(table.error());
    managed->put(kind_of(change.kind), change.name, *std::move(table));
  }
  auto done = change.check_only
                  ? needs_.reloader.check_with(managed->text())
                  : needs_.reloader.reload_with(managed->text(), [&] { return managed->write(); });
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
    needs_.log.info(is_alias ? "alias.changed" : "trigger.changed",
                    {{is_alias ? "alias" : "trigger", change.name}}, "{} by {}",
                    change.verb == Verb::create    ? "created"
                    : change.verb == Verb::replace ? "replaced"
                                                   : "deleted",
                    by);
  }
  return done;
}

management::Outcome<> enable_in_managed_file(ConfigReloader& reloader, const config::Config& config,
                                             management::DefinitionKind kind,
                                             std::string_view name) {
  auto managed = config::ManagedFile::read(config.runtime.state_dir / config::kManagedFile);
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
  auto done = reloader.reload_with(managed->text(), [&] { return managed->write(); });
  if (!done) return tl::make_unexpected(done.error());
  if (!done->failures.empty()) return failed({done->failures.front()});
  return {};
}

}  // namespace triggerd::control
