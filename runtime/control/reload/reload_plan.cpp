#include "control/reload/reload_plan.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

namespace triggerd::control {
namespace {

bool contains(const std::vector<std::string>& names, const std::string& name) {
  return std::find(names.begin(), names.end(), name) != names.end();
}

void append(Diagnostics& all, const Diagnostics& more) {
  all.insert(all.end(), more.begin(), more.end());
}

template <class Member>
std::vector<std::string> names_of(const MemberList<Member>& members) {
  std::vector<std::string> names;
  names.reserve(members.size());
  for (const auto& member : members) names.push_back(member->name());
  return names;
}

// Packages of the next configuration that are broken already. What may not be broken is returned.
Diagnostics note_broken(const config::Config& next, const mqtt::tls::Stores& certificates,
                        const BreakablePackages& breakable, PackageFailures& failures) {
  Diagnostics wrong;
  for (const config::Package& package : next.packages) {
    if (package.enabled && !breakable.has(package.name)) append(wrong, package.problems);
  }
  for (const auto& [package, problems] : certificates.package_problems()) {
    if (!breakable.has(package)) {
      append(wrong, problems);
      continue;
    }
    for (const config::Diagnostic& problem : problems) failures.add(package, problem);
  }
  return wrong;
}

}  // namespace

bool BreakablePackages::has(const std::string& package) const {
  if (package == must_run_) return false;
  const config::Package* before = now_.config->find_package(package);
  return before == nullptr || !before->enabled || !before->problems.empty() ||
         now_.failures.contains(package);
}

Unchanged unchanged(const std::vector<std::string>& running_aliases,
                    const std::vector<std::string>& running_triggers, const config::Config& next,
                    const config::Difference& difference, const PackageFailures& failures) {
  const auto restarts = [&](const std::string& alias) {
    return contains(difference.aliases.changed, alias) ||
           contains(difference.aliases.removed, alias);
  };
  Unchanged kept;
  for (const std::string& name : running_aliases) {
    const config::Alias* wanted = next.find_alias(name);
    if (wanted != nullptr && wants(failures, *wanted) && !restarts(name)) kept.aliases.insert(name);
  }
  for (const std::string& name : running_triggers) {
    const config::Trigger* wanted = next.find_trigger(name);
    if (wanted != nullptr && wants(next, failures, *wanted) &&
        !contains(difference.triggers.changed, name) && !restarts(wanted->alias)) {
      kept.triggers.insert(name);
    }
  }
  return kept;
}

ReloadPlan::ReloadPlan(const Needs& needs, ConfigPtr next)
    : config(std::move(next)), failures(config), needs_(needs), now_(needs.registry.now()) {
  needs_.plugins.use(config);
}

ReloadPlan::ReloadPlan(ReloadPlan&& other) noexcept
    : config(std::move(other.config)),
      alias_states(std::move(other.alias_states)),
      certificates(std::move(other.certificates)),
      failures(std::move(other.failures)),
      stop_triggers(std::move(other.stop_triggers)),
      stop_aliases(std::move(other.stop_aliases)),
      start_aliases(std::move(other.start_aliases)),
      start_triggers(std::move(other.start_triggers)),
      report(std::move(other.report)),
      needs_(other.needs_),
      now_(std::exchange(other.now_, nullptr)) {}

ReloadPlan::~ReloadPlan() {
  if (!now_) return;
  start_triggers.clear();
  needs_.plugins.use(now_->config);
  needs_.reloader.drop_unused_plugins();
}

tl::expected<ReloadPlan, Diagnostics> ReloadPlan::make(const Needs& needs, ConfigPtr next,
                                                       AliasStates states,
                                                       mqtt::tls::Stores certificates,
                                                       const std::string& must_run) {
  const auto now = needs.registry.now();
  const BreakablePackages breakable(*now, must_run);
  const config::Difference difference = config::difference(*now->config, *next);
  PackageFailures failures(next);
  if (auto wrong = note_broken(*next, certificates, breakable, failures); !wrong.empty()) {
    return tl::make_unexpected(std::move(wrong));
  }
  ReloadPlan plan(needs, std::move(next));
  plan.alias_states = std::move(states);
  plan.certificates = std::move(certificates);
  plan.failures = std::move(failures);
  const auto kept = [&] {
    return unchanged(names_of(now->aliases), names_of(now->triggers), *plan.config, difference,
                     plan.failures);
  };
  if (auto wrong = plan.make_triggers(kept(), breakable); !wrong.empty()) {
    return tl::make_unexpected(std::move(wrong));
  }
  // Again, for a package may have turned out broken.
  const Unchanged finally = kept();
  plan.choose(finally);
  plan.fill_in_report(difference, finally.aliases.size() + finally.triggers.size());
  return plan;
}

Diagnostics ReloadPlan::make_triggers(const Unchanged& kept, const BreakablePackages& breakable) {
  Diagnostics wrong;
  for (const config::Trigger& trigger : config->triggers) {
    if (kept.triggers.contains(trigger.name) || !wants(*config, failures, trigger)) continue;
    auto made = needs_.factory.make_trigger(trigger);
    if (made) {
      start_triggers.push_back(*std::move(made));
    } else if (!trigger.package.empty() && breakable.has(trigger.package)) {
      failures.add(trigger.package, std::move(made.error().why));
    } else {
      wrong.push_back(std::move(made.error().why));
    }
  }
  failures.spread();
  for (const config::Package& package : config->packages) {
    if (package.enabled && !breakable.has(package.name)) append(wrong, failures.of(package.name));
  }
  std::erase_if(start_triggers,
                [&](const TriggerPtr& trigger) { return failures.takes_out(trigger->config()); });
  return wrong;
}

void ReloadPlan::choose(const Unchanged& kept) {
  for (const TriggerPtr& trigger : now_->triggers) {
    if (!kept.triggers.contains(trigger->name())) stop_triggers.push_back(trigger);
  }
  for (const AliasPtr& alias : now_->aliases) {
    if (!kept.aliases.contains(alias->name())) stop_aliases.push_back(alias);
  }
  for (const config::Alias& alias : config->aliases) {
    if (wants(failures, alias) && !kept.aliases.contains(alias.name)) {
      start_aliases.push_back(alias.name);
    }
  }
}

void ReloadPlan::fill_in_report(const config::Difference& difference, std::size_t unchanged) {
  const auto add = [](const char* what, const std::vector<std::string>& names,
                      std::vector<std::string>& into) {
    for (const std::string& name : names) into.push_back(fmt::format("{} {}", what, name));
  };
  add("alias", difference.aliases.added, report.added);
  add("trigger", difference.triggers.added, report.added);
  add("alias", difference.aliases.removed, report.removed);
  add("trigger", difference.triggers.removed, report.removed);
  add("alias", difference.aliases.changed, report.changed);
  add("trigger", difference.triggers.changed, report.changed);
  for (const TriggerPtr& trigger : start_triggers) {
    if (!contains(difference.triggers.changed, trigger->name()) &&
        !contains(difference.triggers.added, trigger->name())) {
      report.restarted.push_back("trigger " + trigger->name());
    }
  }
  report.unchanged = unchanged;
}

}  // namespace triggerd::control
