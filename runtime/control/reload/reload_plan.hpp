// What a reload is going to do, made beside what runs.
#pragma once

#include <string>
#include <unordered_set>
#include <vector>

#include "config/difference.hpp"
#include "control/members/member_factory.hpp"
#include "control/plugins/plugin_reloader.hpp"
#include "control/plugins/plugin_set.hpp"
#include "control/running/registry.hpp"
#include "management/definitions.hpp"
#include "mqtt/tls/stores.hpp"

namespace triggerd::control {

using Diagnostics = std::vector<config::Diagnostic>;

// Which packages may be broken in the next configuration without the reload being refused: those of
// which nothing runs now. A broken one affects nothing else, as at the start.
class BreakablePackages {
 public:
  // The package `must_run` must not be broken. Both outlive it.
  BreakablePackages(const Running& now, const std::string& must_run)
      : now_(now), must_run_(must_run) {}

  bool has(const std::string& package) const;

 private:
  const Running& now_;
  const std::string& must_run_;
};

// Which of the running members may stay as they are, by name: they are wanted, and neither they nor
// what they connect with has changed.
struct Unchanged {
  std::unordered_set<std::string> aliases;
  std::unordered_set<std::string> triggers;
};
Unchanged unchanged(const std::vector<std::string>& running_aliases,
                    const std::vector<std::string>& running_triggers, const config::Config& next,
                    const config::Difference& difference, const PackageFailures& failures);

// Plugins and instances of services that the next configuration needs are made while what runs goes
// on untouched. A plan that is not applied undoes itself: its destructor destroys what it made,
// lets go of the plugins that were loaded for it, and has plugins looked for as before. [control]
class ReloadPlan {
 public:
  // What it makes members with. All outlive it.
  struct Needs {
    const Registry& registry;
    PluginSet& plugins;
    PluginReloader& reloader;
    MemberFactory& factory;
  };
  // `certificates` are of `next`, in which `states` is disabled. The package `must_run` must not be
  // broken, nor may those that run. An error leaves everything as it was.
  static tl::expected<ReloadPlan, Diagnostics> make(const Needs& needs, ConfigPtr next,
                                                    AliasStates states,
                                                    mqtt::tls::Stores certificates,
                                                    const std::string& must_run);
  ReloadPlan(ReloadPlan&& other) noexcept;
  ReloadPlan& operator=(ReloadPlan&&) = delete;
  ~ReloadPlan();

  // From here on it is applied, and not undone. It drops its snapshot of what runs, so that what is
  // taken out can be destroyed.
  void commit() { now_.reset(); }

  // What is to be done, in this order.
  ConfigPtr config;
  AliasStates alias_states;
  mqtt::tls::Stores certificates;
  PackageFailures failures;
  std::vector<TriggerPtr> stop_triggers;
  std::vector<AliasPtr> stop_aliases;
  std::vector<std::string> start_aliases;
  std::vector<TriggerPtr> start_triggers;  // made, and without a connection
  management::ReloadReport report;

 private:
  ReloadPlan(const Needs& needs, ConfigPtr next);

  Diagnostics make_triggers(const Unchanged& kept, const BreakablePackages& breakable);
  void choose(const Unchanged& kept);
  void fill_in_report(const config::Difference& difference, std::size_t unchanged);

  const Needs needs_;
  std::shared_ptr<const Running> now_;  // what it was made beside; null: there is nothing to undo
};

}  // namespace triggerd::control
