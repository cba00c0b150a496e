// Another configuration takes over, while everything that is the same in it runs on.
//
//   1. read     all files, and check them as at the start; anything wrong ends it here
//   2. compare  with what runs, and make what is new: plugins, instances of services, certificates;
//               a failure ends it here (reload_plan.hpp)
//   3. stop     what differs or is gone: drained; inbox and server keep what is not finished
//   4. start    what is new
//
// Up to 2 nothing that runs has been touched. What fails in 3 and 4 - a service that does not
// start, a connection that cannot be made - takes that trigger out and no other, and is reported.
#pragma once

#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "base/mutex.hpp"
#include "control/members/certificate_rotation.hpp"
#include "control/members/client_ids.hpp"
#include "control/members/inbox_health.hpp"
#include "control/members/member_factory.hpp"
#include "control/members/readiness.hpp"
#include "control/members/session_terminator.hpp"
#include "control/members/shutdown_sequence.hpp"
#include "control/reload/config_watcher.hpp"
#include "control/reload/reload_plan.hpp"
#include "management/definitions.hpp"

namespace triggerd::control {

// Reads the configuration again, with `managed` instead of the managed file if it is given.
using LoadConfig =
    std::function<tl::expected<config::Config, Diagnostics>(const std::optional<std::string>&)>;

// How the last reloads went.
struct ReloadRecord {
  std::optional<Wall> applied{};
  std::string failure{};  // of the last one; empty: it was applied, or there was none
  std::vector<std::string> needs_restart{};
};

// Reloads on [control]. Its lock, a leaf, guards the record alone.
class ConfigReloader {
 public:
  // All outlive it.
  struct Needs {
    Registry& registry;
    ControlThread& control;
    inbox::TriggerRecords& stored_states;
    inbox::HandledKeys& handled_keys;
    PluginSet& plugins;
    PluginReloader& plugin_reloader;
    CertificateRotation& certificates;
    ClientIds& client_ids;
    MemberFactory& factory;
    ShutdownSequence& shutdown;
    SessionTerminator& sessions;
    InboxHealth& inbox_health;
    trigger::Publisher& publisher;
    Readiness& readiness;
    EventLoop& supervisor;
    Log& log;
  };
  // `base` is the configuration as the files say it. If `load` is empty, it cannot be reloaded.
  // If `config_file` is empty, there is nothing to watch.
  ConfigReloader(const Needs& needs, ConfigPtr base, LoadConfig load,
                 std::filesystem::path config_file);

  // Reads all files and applies them, because `by` asked for it; the result is in the log. The
  // package `must_run` must not be broken. [control]
  management::Outcome<management::ReloadReport> reload(const management::Actor& by,
                                                       const std::string& must_run = {});
  // The same with `managed` in place of the managed file. `write` writes that once everything is
  // found to be valid; a failure is not logged. [control]
  management::Outcome<management::ReloadReport> reload_with(const std::string& managed,
                                                            const std::function<Result<>()>& write);
  // Returns what reload_with() would, and changes nothing. [control]
  management::Outcome<management::ReloadReport> check_with(const std::string& managed);
  // Applies the files as last read, with the aliases that administrators have disabled since.
  // [control]
  management::Outcome<management::ReloadReport> apply_alias_states();

  // Reads the files, with `managed` in place of the managed file, and applies nothing. [any]
  tl::expected<config::Config, Diagnostics> load(const std::optional<std::string>& managed) const;
  // The configuration as the files say it, whatever an administrator has disabled. [control]
  const config::Config& base() const { return *base_; }

  // Reloads whenever the files change, if it can be reloaded. [main while nothing runs]
  void watch_files();
  // Notes that the files as they are now are in effect. [control]
  void note_files_read() { watcher_.note_read(); }

  ReloadRecord record() const;  // [any]

 private:
  using Apply = std::function<Result<>()>;
  management::Outcome<management::ReloadReport> reload_files(
      const std::optional<std::string>& managed, bool check_only, const Apply& write,
      const std::string& must_run);
  tl::expected<ReloadPlan, Diagnostics> plan(config::Config next, AliasStates states,
                                             const std::string& must_run);
  void keep_what_needs_a_restart(config::Config& next) const;
  management::ReloadReport apply(ReloadPlan plan);
  void start_alias(const config::Alias& alias, management::ReloadReport& report);
  void start_trigger(const TriggerPtr& trigger, management::ReloadReport& report);
  void report_failure(management::ReloadReport& report, const std::string& what,
                      const Error& error);
  void warn_of_missing_plugins(management::ReloadReport& report) const;
  void log_refusal(const management::AdminError& error);
  void log_done(management::ReloadReport& report);

  const Needs needs_;
  ConfigPtr base_;  // [control]
  const LoadConfig load_;
  ConfigWatcher watcher_;
  mutable Mutex mutex_;
  ReloadRecord record_ TRIGGERD_GUARDED_BY(mutex_);
};

}  // namespace triggerd::control
