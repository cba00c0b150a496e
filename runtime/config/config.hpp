// config/: triggers.toml to a validated Config. It knows base/ and nothing else of the runtime.
//
//   config.hpp        what a configuration says, after every check and with every default filled in
//   load.hpp          files -> Config, or all their errors at once
//   difference.hpp    what a reload has to restart
//   managed.hpp       aliases and triggers defined at run time
//   managed_rules.hpp what a definition sent over the API must not contain
//   secrets.hpp       definitions as they are shown, without their secrets
//   local_values.hpp  this machine's values for a package's aliases
//   topic_filter.hpp  MQTT topic filters: validity and matching
//   secret.hpp        passwords, which never reach a log
//
// The records that a Config is made of have headers of their own: alias.hpp, trigger.hpp,
// topic.hpp, delivery_rules.hpp and so on. A file that needs one record includes only its header,
// and is not recompiled when another record changes.
//
// A Config is built once on the main thread and not changed afterwards, so any thread may read it.
// Keys, defaults and rules are described for users in docs/reference/configuration.md.
#pragma once

#include <filesystem>
#include <string_view>
#include <vector>

#include "config/admin_section.hpp"
#include "config/alias.hpp"
#include "config/package.hpp"
#include "config/place.hpp"
#include "config/runtime_section.hpp"
#include "config/tls_stores.hpp"
#include "config/trigger.hpp"

namespace triggerd::config {

struct Config {
  RuntimeSection runtime;
  LogSection log;
  InboxSection inbox;
  AdminSection admin;
  std::vector<Truststore> truststores;
  std::vector<Keystore> keystores;
  std::vector<Alias> aliases;
  std::vector<Trigger> triggers;
  std::vector<Package> packages;  // each package comes after those it requires

  const Truststore* find_truststore(std::string_view name) const;
  const Keystore* find_keystore(std::string_view name) const;
  // The folders to search for the plugins of `package`'s triggers, in this order: the package's
  // own, those of the packages it requires, plugin_dirs. If the name is empty: only plugin_dirs.
  std::vector<std::filesystem::path> plugin_dirs_for(std::string_view package) const;

  // Why enabled packages could not be loaded.
  std::vector<Diagnostic> package_problems() const;

  const Package* find_package(std::string_view name) const;
  // The package that owns the file of `place`; null if it is one of the configuration's own files.
  const Package* package_at(const Place& place) const;
  const Alias* find_alias(std::string_view name) const;
  const Trigger* find_trigger(std::string_view name) const;
};

}  // namespace triggerd::config
