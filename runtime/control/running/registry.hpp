// What runs now: one snapshot, which is replaced as a whole.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>

#include "base/mutex.hpp"
#include "config/config.hpp"
#include "control/running/alias_connection.hpp"
#include "control/running/member_list.hpp"
#include "control/running/package_failures.hpp"
#include "inbox/records.hpp"
#include "trigger/trigger.hpp"

namespace triggerd::control {

using ConfigPtr = std::shared_ptr<const config::Config>;
using AliasPtr = std::shared_ptr<AliasConnection>;
using TriggerPtr = std::shared_ptr<trigger::Trigger>;
// What an administrator has disabled, by the name of the alias.
using AliasStates = std::map<std::string, inbox::TriggerState, std::less<>>;

// A snapshot. Its values belong together, and none of them changes.
struct Running {
  explicit Running(const ConfigPtr& all) : config(all), failures(all) {}

  // Never null. As it is in effect: with what an administrator has disabled, and with what needs a
  // restart to change as it was at the start.
  ConfigPtr config;
  AliasStates alias_states;
  PackageFailures failures;
  MemberList<AliasConnection> aliases;
  MemberList<trigger::Trigger> triggers;
  // Why a trigger that is wanted is not among these, by its name.
  std::map<std::string, std::string, std::less<>> not_made;

  // Null if it is not running.
  AliasPtr alias(std::string_view name) const { return aliases.find(name); }
  TriggerPtr trigger(std::string_view name) const { return triggers.find(name); }

  // Notes for each trigger that a broken package takes out why it is not made.
  void note_broken_packages();
};

// Whether it is to run: enabled, as is its alias, and neither is in a broken package.
bool wants(const PackageFailures& failures, const config::Alias& alias);
bool wants(const config::Config& config, const PackageFailures& failures,
           const config::Trigger& trigger);

// The one home of what runs. One thread changes it, [control] (main while nothing runs); every
// thread may read it. Its lock is held only while a pointer is copied.
class Registry {
 public:
  explicit Registry(const ConfigPtr& config) : now_(std::make_shared<const Running>(config)) {}

  // What runs at this moment; it stays as it is for whoever holds it. Whoever holds it for long
  // keeps triggers that have been taken out from being destroyed. [any]
  std::shared_ptr<const Running> now() const {
    const MutexLock lock(mutex_);
    return now_;
  }
  ConfigPtr config() const { return now()->config; }  // [any]

  // Puts a copy of what runs, edited, in its place: nobody sees half of it. [control]
  void change(const std::function<void(Running&)>& edit);

 private:
  mutable Mutex mutex_;
  std::shared_ptr<const Running> now_ TRIGGERD_GUARDED_BY(mutex_);
};

}  // namespace triggerd::control
