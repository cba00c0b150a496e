// Everything that one configuration asks for: made, started, changed while it runs, and stopped.
//
//   runtime.cpp           made, started, stopped
//   runtime_members.cpp   aliases and triggers, one by one: made, started, taken out
//   runtime_reload.cpp    another configuration takes over: what differs, and nothing else
//   runtime_define.cpp    definitions that an administrator makes, in STATE_DIR/managed.toml
//   runtime_sessions.cpp  sessions at servers that nobody wants any more
//   runtime_status.cpp    what Administration shows
//   runtime_verbs.cpp     what Administration does: states, plugins, packages, publishing
//   runtime_letters.cpp   dead letters
//   runtime_try.cpp       an alias or a trigger is tried
//
// Threads: main makes, starts and stops it. Everything that changes what runs meanwhile is done on
// one thread, [control], one thing after another; what Administration offers may be called from
// any.
#pragma once

#include <atomic>
#include <filesystem>
#include <functional>
#include <future>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <thread>
#include <variant>
#include <vector>

#include "base/event_loop.hpp"
#include "base/log.hpp"
#include "base/mutex.hpp"
#include "config/config.hpp"
#include "config/difference.hpp"
#include "config/load.hpp"
#include "config/managed.hpp"
#include "control/package_failures.hpp"
#include "control/plugin_set.hpp"
#include "control/reloader.hpp"
#include "inbox/inbox.hpp"
#include "inbox/writer.hpp"
#include "management/dead_letters.hpp"
#include "management/definitions.hpp"
#include "management/event_hub.hpp"
#include "management/management.hpp"
#include "management/plugins.hpp"
#include "management/states.hpp"
#include "management/status.hpp"
#include "management/test_runs.hpp"
#include "mqtt/paho/paho_client.hpp"
#include "mqtt/session/resolver.hpp"
#include "mqtt/tls/inventory.hpp"
#include "mqtt/tls/rotation.hpp"
#include "mqtt/tls/stores.hpp"
#include "plugin/instance/life_call.hpp"
#include "plugin/loader/watcher.hpp"
#include "trigger/publisher.hpp"
#include "trigger/trigger.hpp"

namespace triggerd::dispatch {
class Deaths;
}  // namespace triggerd::dispatch

namespace triggerd::control {

class AliasConnection;

// What the program around a runtime knows and trigger/ does not.
struct RuntimeOptions {
  // This program, which runs itself as `PROGRAM --probe FILE` before it loads a plugin, or another
  // build of one, and as `PROGRAM --worker` for isolated triggers; empty: it does not.
  std::filesystem::path probe_program{};
  std::string version{};
  std::filesystem::path config_file{};  // as it was named
  // Reads the configuration again, with `managed` instead of the managed file where it is given.
  // Empty: it cannot be reloaded.
  using Load = std::function<tl::expected<config::Config, std::vector<config::Diagnostic>>(
      const std::optional<std::string>& managed)>;
  Load load{};
  // How long another build of a plugin is looked at before it is trusted.
  Millis probation{30'000};
  // What can be done with packages, on disk; the runtime reloads afterwards. May be empty.
  struct Packages {
    // Asked once the change is made, with the package's name; an error undoes it.
    using Confirm = std::function<Result<>(const std::string& name)>;
    std::function<Result<>(std::string_view name, const Confirm& confirm)> enable;
    std::function<Result<>(std::string_view name)> disable;
    std::function<Result<>(const std::string& archive, const std::vector<std::string>& values,
                           bool downgrade, const Confirm& confirm)>
        install;
    std::function<Result<>(std::string_view name)> remove;
  };
  Packages packages{};
  // What earlier runs were ended by; outlives the runtime. May be null.
  dispatch::Deaths* deaths = nullptr;
};

// Outlived by `log` and the state folder's lock.
class Runtime final : public management::StatusReader,
                      public management::StateControl,
                      public management::DefinitionControl,
                      public management::TestRuns,
                      public management::PluginControl,
                      public management::DeadLetterControl {
 public:
  management::Management management() {
    return {.status = *this,
            .states = *this,
            .definitions = *this,
            .test_runs = *this,
            .plugins = *this,
            .dead_letters = *this,
            .events = events_};
  }
  Runtime(config::Config config, std::filesystem::path state_dir, Log& log,
          RuntimeOptions options = {});
  ~Runtime() override;
  Runtime(const Runtime&) = delete;
  Runtime& operator=(const Runtime&) = delete;

  // Opens the inbox, loads the plugins, makes instances and connections. Nothing is connected yet.
  // Diagnostics: the configuration is at fault; an Error: this machine is. What is wrong with a
  // package is logged, and keeps that package out and no other.
  using Problem = std::variant<Error, std::vector<config::Diagnostic>>;
  tl::expected<void, Problem> prepare();
  // It is to stop as soon as it is made: calls that hang are waited for as in stop(). [any]
  void hurry();

  // Makes connections, and has services started on [control]: it does not wait for them. One that
  // does not start takes its trigger out, and no other, and is tried again.
  Result<> start();

  // From now on calls `tell` about once each `interval`, for as long as the supervisor and the
  // timer turn, and no service keeps the thread that receives: what is stuck is not told of. Once
  // started.
  void beat(Millis interval, const std::function<void()>& tell);

  // Takes nothing more, lets what is in flight finish, ends services, says goodbye to the servers.
  // Done within the configuration's drain_timeout. False: a service call never came back, and only
  // the end of the process ends it; then this object must not be destroyed.
  [[nodiscard]] bool stop();

  // As reload(), and returns at once: what became of it is in the log, and `done` is called after
  // it, unless the runtime stops before. [any]
  void request_reload(const std::string& by, std::function<void()> done = {});
  // Of the configuration as it is now. [any]
  Millis drain_timeout() const { return config()->runtime.drain_timeout; }

  inbox::Inbox& inbox() { return *inbox_; }
  // As the one of Administration, and says all about it.
  Result<Reloader::Report> reload_plugin(const std::string& plugin,
                                         const management::PluginReloadOptions& how = {});

  // ---- Administration [any] ----

  management::RuntimeStatus runtime() const override;
  std::vector<management::AliasStatus> aliases() const override;
  management::Outcome<management::AliasStatus> alias(std::string_view name) const override;
  std::vector<management::TriggerStatus> triggers() const override;
  management::Outcome<management::TriggerStatus> trigger(std::string_view name) const override;
  std::vector<management::PluginStatus> plugins() const override;
  std::vector<management::PackageStatus> packages() const override;
  std::vector<management::StoreStatus> stores() const override;
  management::InboxStatus inbox_status() const override;
  std::vector<management::TopicMatch> match(std::string_view topic) const override;
  management::Outcome<> enable_trigger(std::string_view name, const management::Actor& by) override;
  management::Outcome<> disable_trigger(std::string_view name, const management::Actor& by,
                                        const std::string& reason) override;
  management::Outcome<> suspend_trigger(std::string_view name, const management::Actor& by,
                                        const std::string& reason) override;
  management::Outcome<> resume_trigger(std::string_view name, const management::Actor& by) override;
  management::Outcome<> enable_alias(std::string_view name, const management::Actor& by) override;
  management::Outcome<> disable_alias(std::string_view name, const management::Actor& by,
                                      const std::string& reason) override;
  management::Outcome<management::ReloadReport> change_definition(
      const management::DefinitionChange& change, const management::Actor& by) override;
  management::Outcome<management::ReloadReport> reload(const management::Actor& by) override;
  management::Outcome<management::AliasTest> test_alias(std::string_view name,
                                                        Millis timeout) override;
  management::Outcome<management::AliasTest> test_alias(const std::string& name,
                                                        const management::DefinitionText& text,
                                                        Millis timeout) override;
  management::Outcome<management::TriggerTest> test_trigger(
      std::string_view name, const management::TriggerTestMessage& message,
      Millis timeout) override;
  management::Outcome<> publish(const management::PublishMessage& message, Millis timeout) override;
  management::Outcome<management::PluginReload> reload_plugin(
      const std::string& plugin, const management::PluginReloadOptions& how,
      const management::Actor& by) override;
  management::Outcome<management::ReloadReport> enable_package(
      std::string_view name, const management::Actor& by) override;
  management::Outcome<management::ReloadReport> disable_package(
      std::string_view name, const management::Actor& by) override;
  management::Outcome<management::ReloadReport> install_package(
      const std::string& archive, const std::vector<std::string>& values, bool downgrade,
      const management::Actor& by) override;
  management::Outcome<management::ReloadReport> remove_package(
      std::string_view name, const management::Actor& by) override;
  management::Outcome<management::DeadLetterPage> dead_letters(
      const management::DeadLetterFilter& filter, std::optional<std::int64_t> before,
      std::size_t limit, std::size_t payload_bytes) const override;
  management::Outcome<management::DeadLetterView> dead_letter(std::int64_t number) const override;
  management::Outcome<> replay_dead_letter(std::int64_t number,
                                           const management::Actor& by) override;
  management::Outcome<management::DeadLettersDone> replay_dead_letters(
      const management::DeadLetterFilter& filter, const management::Actor& by,
      const Progress& progress) override;
  management::Outcome<> edit_dead_letter(std::int64_t number,
                                         const std::optional<std::string>& topic,
                                         const std::optional<std::string>& payload,
                                         const management::Actor& by) override;
  management::Outcome<> drop_dead_letter(std::int64_t number, const management::Actor& by) override;
  management::Outcome<management::DeadLettersDone> drop_dead_letters(
      const management::DeadLetterFilter& filter, const management::Actor& by,
      const Progress& progress) override;

 private:
  class InboxSessions;
  using ConfigPtr = std::shared_ptr<const config::Config>;
  using TriggerPtr = std::shared_ptr<trigger::Trigger>;
  using AliasPtr = std::shared_ptr<AliasConnection>;

  // ---- runtime_members.cpp [control; main while nothing runs] ----

  mqtt::ConnectionOptions options_of(const config::Alias& alias, std::string client_id,
                                     const mqtt::tls::Stores& certificates) const;
  mqtt::ConnectionOptions options_of(const config::Trigger& trigger) const;
  Result<std::string> client_id_of(const config::Alias& alias);
  Result<AliasPtr> make_alias(const config::Alias& alias);
  void alias_changed(const std::string& name);
  trigger::TriggerServices trigger_services();
  void start_services();
  void start_later(trigger::Trigger& trigger, Millis delay);
  // Its service alone; the diagnostic is at the place of what is wrong.
  struct NotMade {
    config::Diagnostic why;
    bool may_pass;  // the machine lacks something: no file says anything wrong
  };
  tl::expected<TriggerPtr, NotMade> make_trigger(const config::Trigger& trigger);
  static bool wants(const config::Config& config, const PackageFailures& failures,
                    const config::Trigger& trigger);
  static bool wants(const PackageFailures& failures, const config::Alias& alias);
  void take_in(AliasPtr alias);
  void take_in(TriggerPtr trigger);
  void stop_triggers(const std::vector<TriggerPtr>& triggers);
  void drain(const std::vector<TriggerPtr>& triggers, Monotonic deadline);
  // Their last stages, each for all before the next. Those that are returned are stuck in a call of
  // their service. [control, main]
  std::vector<TriggerPtr> finish(const std::vector<TriggerPtr>& triggers, Monotonic deadline);
  void stop_aliases(const std::vector<AliasPtr>& aliases);
  void retire(TriggerPtr trigger);
  void bury_retired();
  TriggerPtr running_trigger(std::string_view name) const;  // [any]
  AliasPtr running_alias(std::string_view name) const;      // [any]
  ConfigPtr config() const;                                 // [any]
  std::vector<TriggerPtr> all_triggers() const;             // [any]
  // Why, where it is. [any]
  std::optional<std::string> stuck_receiver() const;
  std::vector<AliasPtr> all_aliases() const;  // [any]

  // ---- runtime_sessions.cpp [control; main while nothing runs] ----

  struct Owner;
  struct Ending {
    AliasPtr connection;
    inbox::Session session;
    std::shared_ptr<std::atomic<bool>> done;
    std::shared_ptr<std::atomic<bool>> closed;
  };
  // Client ids, by where their sessions are and why they stay there.
  using LeftSessions =
      std::map<std::pair<std::string, std::string>, std::vector<std::string>, std::less<>>;
  using ClientIds = std::map<std::string, std::string>;  // by alias
  Result<ClientIds> client_ids_of(const config::Config& config);
  static std::map<std::string, Owner> owners_of(const config::Config& config, const ClientIds& ids);
  static const config::Alias* alias_of(const config::Config& config, const ClientIds& ids,
                                       const inbox::Session& session);
  // `before` ran until now, with the certificates `had`; null: nothing did. [control]
  void end_unwanted_sessions(const config::Config* before, const mqtt::tls::Stores& had);
  void tell_left(const LeftSessions& left, bool once);
  void end_session(mqtt::ConnectionOptions options, const inbox::Session& session,
                   LeftSessions& left);
  void stop_ending(const std::string& client_id);
  void forget_ended();
  void tell_endings_left();
  void keep_material_of(std::string_view package);

  // ---- runtime.cpp ----

  tl::expected<void, Problem> prepare_triggers();
  void leave_out_broken_packages();
  void report_readiness();
  Result<> watch_plugins();
  void report_strangers();
  void watch_certificates();
  void begin_rotation();
  void beat(EventLoop& loop, std::atomic<std::int64_t>& last);
  // Runs `call`, which returns an Outcome, on [control] in its turn.
  template <class Call>
  auto on_control(Call call) -> decltype(call()) {
    // Shared, for it may be set a little longer than it is waited for.
    const auto done = std::make_shared<std::promise<decltype(call())>>();
    {
      MutexLock lock(control_mutex_);
      if (!control_runs_) return tl::make_unexpected(not_running());
      control_.post([this, &call, done] {
        if (stopping_) {
          done->set_value(tl::make_unexpected(not_running()));
        } else {
          done->set_value(call());
        }
      });
    }
    return done->get_future().get();
  }
  static management::AdminError not_running();

  // ---- runtime_reload.cpp [control] ----

  using Diagnostics = std::vector<config::Diagnostic>;
  struct Plan;
  // What `managed` says instead of the managed file, where it is given. The package `must_run` has
  // to be whole, as those that run.
  management::Outcome<management::ReloadReport> reload_now(
      const std::optional<std::string>& managed, bool check_only,
      const std::function<Result<>()>& commit = {}, const std::string& must_run = {});
  management::Outcome<management::ReloadReport> reload_here(const management::Actor& by,
                                                            const std::string& must_run = {});
  management::Outcome<management::ReloadReport> apply_states();
  tl::expected<config::Config, Diagnostics> load_again(const std::optional<std::string>& managed);
  void keep_what_needs_a_restart(config::Config& next) const;
  using AliasStates = std::map<std::string, inbox::TriggerState, std::less<>>;
  static std::string state_key(std::string_view alias);
  Result<AliasStates> overlay_states(config::Config& next) const;
  tl::expected<Plan, Diagnostics> plan(config::Config next, AliasStates states,
                                       const std::string& must_run = {});
  management::ReloadReport apply(Plan plan);
  void drop_unused_plugins();
  void warn_of_missing_plugins(management::ReloadReport& report) const;
  management::Outcome<management::ReloadReport> refuse(const Diagnostics& diagnostics);
  void watch_files();
  std::string look_of_files() const;

  // ---- runtime_define.cpp, runtime_verbs.cpp ----

  static management::AdminError may_not_manage();
  static management::AdminError error_of_definition(const management::AdminError& found,
                                                    const config::ManagedFile& managed,
                                                    const management::DefinitionChange& change);
  static management::Outcome<config::Node> definition_table(
      const management::DefinitionChange& change);
  static management::Outcome<config::Node> table_to_keep(const management::DefinitionChange& change,
                                                         const config::Config& all,
                                                         const config::Node* before);
  void end_trial(const std::string& name, const std::shared_ptr<void>& trial,
                 std::unique_ptr<plugin::Instance>& instance);
  management::Outcome<management::ReloadReport> change_now(
      const management::DefinitionChange& change, const management::Actor& by);
  // Where the managed file has disabled it, it does so no more; done as well where it has not.
  management::Outcome<> enable_in_managed_file(management::DefinitionKind kind,
                                               std::string_view name);
  management::Outcome<management::ReloadReport> change_package(
      const management::Actor& by, std::string_view what, const std::function<Result<>()>& change);
  using Confirm = RuntimeOptions::Packages::Confirm;
  management::Outcome<management::ReloadReport> bring_package(
      const management::Actor& by, std::string_view what,
      const std::function<Result<>(const Confirm&)>& change);
  management::Outcome<> set_alias_state(std::string_view name,
                                        const std::optional<inbox::TriggerState>& state);
  management::Outcome<TriggerPtr> find_trigger(std::string_view name) const;
  management::Definition definition_of(const std::string& name, const std::string& package,
                                       const config::Place& place) const;
  bool package_is_broken(const std::string& name) const;
  // Waits with each letter until it may go, as long as `progress` lets it.
  management::Outcome<management::DeadLettersDone> for_each_letter(
      const management::DeadLetterFilter& filter, const Progress& progress,
      const std::function<Result<>(const inbox::DeadLetter&)>& may_go,
      const std::function<management::Outcome<>(std::int64_t)>& call);
  management::AliasStatus status_of(const config::Alias& alias) const;
  struct InboxFigures;
  management::TriggerStatus status_of(const config::Config& config, const config::Trigger& trigger,
                                      const InboxFigures& figures) const;
  InboxFigures inbox_figures() const;
  management::Outcome<management::AliasTest> try_alias(const config::Alias& alias,
                                                       const mqtt::tls::Stores& certificates,
                                                       Millis timeout);

  const std::filesystem::path state_dir_;
  const RuntimeOptions options_;
  const std::shared_ptr<plugin::Patience> patience_;
  const Wall started_at_;
  management::EventHub events_;
  management::EventLog log_;
  mutable Mutex members_mutex_;
  // As it runs: with what an administrator disabled, and with what holds from the start to the end
  // as it was at the start. Written by [control] with the lock.
  ConfigPtr config_ TRIGGERD_GUARDED_BY(members_mutex_);
  ConfigPtr base_;  // [control] the same, but for what an administrator disabled
  // What an administrator disabled, as the inbox has it: whoever asks does not wait for the inbox.
  AliasStates alias_states_ TRIGGERD_GUARDED_BY(members_mutex_);
  const std::shared_ptr<EventLoop> supervisor_;
  EventLoop timer_;
  EventLoop control_;
  dispatch::MessageIds ids_;
  mqtt::PahoLibrary library_;
  const std::unique_ptr<mqtt::Resolver> resolver_;
  mutable Mutex trouble_mutex_;
  std::optional<std::string> inbox_trouble_ TRIGGERD_GUARDED_BY(trouble_mutex_);
  bool told_of_trouble_ TRIGGERD_GUARDED_BY(trouble_mutex_) = false;  // the triggers
  std::unique_ptr<inbox::Inbox> inbox_;
  std::unique_ptr<inbox::Writer> writer_;
  std::unique_ptr<mqtt::SessionMemory> sessions_;
  std::unique_ptr<mqtt::ConnectionServices> connections_;
  trigger::Publisher publisher_;
  PluginSet plugins_;                 // [control]
  PackageFailures package_failures_;  // as the members below
  ClientIds client_ids_;              // [control]
  // What runs. [control] writes with members_mutex_ held, and reads without; others read with it.
  std::vector<AliasPtr> aliases_;
  std::vector<TriggerPtr> triggers_;
  // Why a trigger that is wanted is not among them. Under members_mutex_, as the two above.
  std::map<std::string, std::string, std::less<>> not_made_;
  std::vector<TriggerPtr>
      retired_;                    // [control] stopped, and the writer still has something of them
  std::vector<TriggerPtr> stuck_;  // [control] a service call has not come back
  std::vector<std::shared_ptr<void>> stuck_trials_;  // [control] the same, of a test
  unsigned trials_ = 0;                              // [control] tests of triggers so far
  std::vector<Ending> endings_;                      // [control] of sessions nobody wants any more
  // [control] Why sessions stay that nobody wants, as last told, by client id.
  std::map<std::string, std::string> left_told_;
  // [control] Of aliases that are going, where certificates_ has none.
  std::map<std::string, std::shared_ptr<mqtt::tls::Current>> parting_;
  Reloader reloader_;
  std::unique_ptr<plugin::Watcher> watcher_;
  std::string
      files_taken_;  // [control] what the configuration files looked like when they were read
  std::string files_seen_;                                       // [control]
  std::map<std::string, std::pair<unsigned, Wall>> in_service_;  // [control] since when
  mutable Mutex plugins_mutex_;
  // As of the last change, for those who ask.
  std::vector<management::PluginStatus> plugin_status_ TRIGGERD_GUARDED_BY(plugins_mutex_);
  void note_plugins();
  mutable Mutex figures_mutex_;
  mutable std::shared_ptr<const InboxFigures> figures_ TRIGGERD_GUARDED_BY(figures_mutex_);
  mutable Monotonic figures_until_ TRIGGERD_GUARDED_BY(figures_mutex_);
  mutable bool counting_ TRIGGERD_GUARDED_BY(figures_mutex_) = false;  // somebody does
  mutable CondVar counted_;
  mutable Mutex reload_mutex_;
  std::optional<Wall> reloaded_ TRIGGERD_GUARDED_BY(reload_mutex_);
  std::string reload_failure_ TRIGGERD_GUARDED_BY(reload_mutex_);
  std::vector<std::string> needs_restart_ TRIGGERD_GUARDED_BY(reload_mutex_);
  std::atomic<bool> stopping_{false};
  std::atomic<bool> ready_{false};  // as last logged
  Mutex control_mutex_;
  bool control_runs_ TRIGGERD_GUARDED_BY(control_mutex_) = false;
  std::atomic<std::int64_t> supervisor_beat_{0};
  std::atomic<std::int64_t> timer_beat_{0};
  mqtt::tls::Stores certificates_;               // [control]
  const mqtt::tls::Inventory inventory_;         // of those who ask
  std::optional<mqtt::tls::Rotation> rotation_;  // [rotation]
  ConfigPtr rotation_config_;                    // [rotation]
  mqtt::tls::Stores rotation_stores_;            // [rotation]
  EventLoop rotation_loop_;
  std::jthread rotation_thread_;
  std::jthread supervisor_thread_;
  std::jthread timer_thread_;
  std::jthread control_thread_;
};

}  // namespace triggerd::control
