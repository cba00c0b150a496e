// Hot reload: another build of a plugin takes over, under traffic.
//
//   1. copy      the file, privately; if it is what serves already, the reload ends here
//   2. verify    the copy: the ELF file, and in a child process, where a constructor may crash
//   3. load      it, and create its instances, while the old ones serve
//   4. quiesce   the plugin's triggers: their messages wait, and calls and pending ones end
//   5. hand over old stop, old save, new restore, new start
//   6. unquiesce, and only then destroy what served before, and unload it
//   7. probation if the new build fails where the one before it did not, that one comes back; or
//                the one before that, if it was on probation itself and has handled nothing well
//
// A failure in 1 to 3 is seen by nobody. After one in 4 or 5 the old instances go on.
// 4 to 6 are build_swap.hpp; 7 is decided by probation.hpp.
//
// Threads: [control], unless a function says otherwise.
#pragma once

#include <atomic>
#include <filesystem>
#include <map>
#include <memory>
#include <set>
#include <string>

#include "base/log.hpp"
#include "base/mutex.hpp"
#include "base/result.hpp"
#include "control/plugins/build_swap.hpp"
#include "control/plugins/plugin_build.hpp"
#include "control/plugins/probation.hpp"
#include "control/running/control_thread.hpp"
#include "management/plugins.hpp"
#include "plugin/loader/watcher.hpp"

namespace triggerd::control {

class PluginReloader {
 public:
  struct Options {
    std::filesystem::path probe_program;  // this program, for `--probe FILE`; empty: no child
    Millis probe_timeout{5'000};
    Millis drain_timeout{10'000};  // for calls under way
    Millis probation{30'000};
    Millis probation_look{1'000};
    unsigned max_leaked = 20;  // then static TLS runs out
  };
  // All outlive it. `control` runs its probation, and has its clock.
  PluginReloader(PluginBuilds& builds, const PluginUsers& users, ControlThread& control,
                 Options options, Log& log);

  enum class Outcome { reloaded, unchanged };
  struct Report {
    Outcome outcome = Outcome::unchanged;
    unsigned generation = 0;  // in service now
    std::string version;
    std::chrono::microseconds pause{0};  // in which the plugin's triggers handled nothing
  };
  // The result is in the log.
  Result<Report> reload(const std::string& plugin, const management::PluginReloadOptions& how);
  // Gives up the reload under way, and every later one: the runtime is stopping. [any]
  void cancel() { cancelled_ = true; }

  // Reloads a plugin whenever its file changes, until stop_watching(). [main while nothing runs]
  Result<> watch();
  // If it watches: watches the plugins that are loaded now instead.
  Result<> watch_again();
  // [main, once control has stopped]
  void stop_watching() { watcher_.reset(); }
  // The plugin's file has changed: it is reloaded in its turn. [any]
  void file_changed(const std::string& plugin);

  // The trigger is about to go.
  void forget_trigger(const std::string& trigger) { probation_.forget_trigger(trigger); }
  // Lets go of the plugins that no trigger uses, and of those that could not be loaded.
  void drop_unused_plugins();
  bool on_probation(const std::string& plugin) const { return probation_.contains(plugin); }
  void set_drain_timeout(Millis timeout) { options_.drain_timeout = timeout; }

  struct Counts {
    std::uint64_t reloaded = 0;
    std::uint64_t failed = 0;
    std::uint64_t rolled_back = 0;
    std::chrono::microseconds last_pause{0};
    std::chrono::microseconds longest_pause{0};
  };
  std::map<std::string, Counts> counts() const;  // [any]

 private:
  struct Replaced {
    Report report;
    Standings at_swap;
  };

  tl::expected<Replaced, ReloadFailure> replace(const std::string& plugin,
                                                const std::filesystem::path& file,
                                                const management::PluginReloadOptions& how);
  tl::expected<Swapped, ReloadFailure> take_over(const PluginBuild& old, const PluginBuild& next,
                                                 const PluginUsers::List& users,
                                                 const management::PluginReloadOptions& how);
  void note_reloaded(const std::string& plugin, const PluginBuild& next,
                     std::chrono::microseconds pause);
  void begin_probation(const std::string& plugin, const std::filesystem::path& previous,
                       Standings at_swap);
  void look_later(const std::string& plugin);
  void look_at(const std::string& plugin);
  void roll_back(const std::string& plugin, const std::filesystem::path& previous,
                 const std::string& reason);

  PluginBuilds& builds_;
  const PluginUsers& users_;
  ControlThread& control_;
  Options options_;
  Log& log_;
  Probation probation_;
  std::set<std::string> looks_;  // plugins that a timer is set for
  std::unique_ptr<plugin::Watcher> watcher_;
  std::atomic<bool> cancelled_{false};
  mutable Mutex mutex_;
  std::map<std::string, Counts> counts_ TRIGGERD_GUARDED_BY(mutex_);
};

}  // namespace triggerd::control
