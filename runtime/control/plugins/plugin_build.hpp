// The seams of plugins/: what a reload of a plugin sees of the plugins that are loaded, and of
// whatever runs a service of them. plugin_set.hpp and running_triggers.hpp are behind them.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/clock.hpp"
#include "base/result.hpp"
#include "plugin/loader/watcher.hpp"
#include "plugin/metrics.hpp"

namespace triggerd::plugin {
class Generation;
}  // namespace triggerd::plugin

namespace triggerd::control {

// One loaded build of a plugin, which stays loaded as long as somebody has this.
struct PluginBuild {
  unsigned number = 0;  // counts the generations of this plugin
  std::string version;
  std::string sha256;
  std::filesystem::path file;  // as it was built
  std::filesystem::path copy;  // the private one, which exists as long as the build is loaded
  std::vector<std::string> services;
  // What makes instances of it. Null only in tests of what decides about builds.
  std::shared_ptr<plugin::Generation> generation;
};

// The plugins that are loaded, by name; with "PACKAGE/" in front where a package carries it.
// [control]
class PluginBuilds {
 public:
  // Asked with the private copy before it is loaded; an error refuses it, and continues a sentence
  // that begins with the file's name.
  using Verify =
      std::function<Result<>(const std::filesystem::path& copy, const std::string& sha256)>;

  virtual ~PluginBuilds() = default;
  virtual std::vector<std::string> names() const = 0;
  // Nothing where `plugin` is not loaded.
  virtual std::optional<PluginBuild> in_service(const std::string& plugin) const = 0;
  // What to say to whoever asks for a plugin that in_service() does not have.
  virtual std::string why_not_loaded(const std::string& plugin) const = 0;
  // Loads another build of a plugin that is loaded, from `file` or, where that is empty, from where
  // the plugin is found now. The one before stays in service until put_in_service().
  virtual Result<PluginBuild> load_next(const std::string& plugin,
                                        const std::filesystem::path& file,
                                        const Verify& verify) = 0;
  virtual void put_in_service(const std::string& plugin, const PluginBuild& build) = 0;
  // Every trigger of the configuration has an instance of what is in service by now.
  virtual void note_in_service(const std::string& plugin) const = 0;
  // Lets go of what is not `used`, and of what could not be loaded. Their names.
  virtual std::vector<std::string> drop_unused(
      const std::function<bool(const PluginBuild&)>& used) = 0;
  // All of them, and where each is looked for.
  virtual std::vector<plugin::Watcher::Plugin> watched() const = 0;
  // Generations that stay in memory until the process ends. [any]
  virtual unsigned leaked() const = 0;
};

// Of messages that a service was given.
struct Verdicts {
  std::uint64_t good = 0;
  std::uint64_t bad = 0;

  bool mostly_bad() const { return bad > good; }
};

// A trigger whose service or monitor is of a plugin, as a reload of that sees it; trigger.hpp says
// what each function does. [control]
class PluginUser {
 public:
  virtual ~PluginUser() = default;
  virtual const std::string& name() const = 0;
  // Since it was made.
  virtual Verdicts verdicts() const = 0;

  virtual Result<> make_successor(const PluginBuild& old, const PluginBuild& next) = 0;
  virtual void drop_successor() = 0;
  // Between these two its service gets no message. False: it still has one at `deadline`.
  [[nodiscard]] virtual bool quiesce(Monotonic deadline) = 0;
  virtual void unquiesce() = 0;
  virtual void revoke_pending() = 0;
  // After an error it is as before.
  virtual Result<> hand_over(Monotonic deadline, bool with_state) = 0;
  virtual void take_back(Monotonic deadline) = 0;
  virtual void forget_predecessor() = 0;
};

class PluginUsers {
 public:
  using List = std::vector<std::shared_ptr<PluginUser>>;

  virtual ~PluginUsers() = default;
  // Those that have an instance of this build. [control]
  virtual List of(const PluginBuild& build) const = 0;
  // What the service of this trigger counts; empty where the trigger does not run. [any]
  virtual std::vector<plugin::Metric> metrics(const std::string& trigger) const = 0;
};

}  // namespace triggerd::control
