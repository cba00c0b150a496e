// Everything that one configuration asks for, made, started and stopped.
#pragma once

#include <atomic>
#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <variant>
#include <vector>

#include "base/event_loop.hpp"
#include "base/log.hpp"
#include "base/mutex.hpp"
#include "config/config.hpp"
#include "config/load.hpp"
#include "inbox/inbox.hpp"
#include "inbox/writer.hpp"
#include "mqtt/paho_client.hpp"
#include "mqtt/resolver.hpp"
#include "mqtt/tls/rotation.hpp"
#include "mqtt/tls/stores.hpp"
#include "plugin/watcher.hpp"
#include "trigger/package_failures.hpp"
#include "trigger/plugin_set.hpp"
#include "trigger/publisher.hpp"
#include "trigger/reloader.hpp"
#include "trigger/trigger.hpp"

namespace triggerd::trigger {

class AliasConnection;

// Used from one thread, main's, but for administration. Outlived by `config`, `log` and the state
// folder's lock.
class Runtime {
 public:
  // `probe_program` is this program, which runs itself as `PROGRAM --probe FILE` before it loads
  // another build of a plugin; empty: it does not.
  Runtime(const config::Config& config, std::filesystem::path state_dir, Log& log,
          std::filesystem::path probe_program = {});
  ~Runtime();
  Runtime(const Runtime&) = delete;
  Runtime& operator=(const Runtime&) = delete;

  // Opens the inbox, loads the plugins, makes instances and connections. Nothing is connected yet.
  // Diagnostics: the configuration is at fault; an Error: this machine is. What is wrong with a
  // package is logged, and keeps that package out and no other.
  using Problem = std::variant<Error, std::vector<config::Diagnostic>>;
  tl::expected<void, Problem> prepare();

  // Starts services, then connections. A service that does not start takes its trigger out, and no
  // other.
  Result<> start();

  // From now on calls `tell` about once each `interval`, for as long as the supervisor and the
  // timer turn: one that is stuck is not told of. Once started.
  void beat(Millis interval, const std::function<void()>& tell);

  // Takes nothing more, lets what is in flight finish, ends services, says goodbye to the servers.
  // Done within the configuration's drain_timeout. False: a service call never came back, and only
  // the end of the process ends it; then this object must not be destroyed.
  [[nodiscard]] bool stop();

  // ---- Administration of what runs. Errors say what there is not. Between start() and stop() it
  // may come from any thread: what it changes is changed on the control thread. ----

  // Stops a trigger for good, over restarts, or starts it again. `by` is who, for the record.
  Result<> disable(std::string_view trigger, const std::string& by, const std::string& reason);
  Result<> enable(std::string_view trigger);
  // Dead letters: list, edit and drop them with inbox(); a replayed one is a message of its trigger
  // again, now where that runs, else when it does.
  Result<> replay_dead_letter(std::int64_t number);
  inbox::Inbox& inbox() { return *inbox_; }
  // Puts the plugin's file, as it is now, in service. Once started.
  Result<Reloader::Report> reload_plugin(const std::string& plugin, bool force = false);

 private:
  class InboxSessions;

  mqtt::ConnectionOptions options_of(const config::Alias& alias, std::string client_id) const;
  Result<std::string> client_id_of(const config::Alias& alias);
  std::vector<config::Diagnostic> prepare_triggers();
  void leave_out_broken_packages();
  void report_readiness();
  template <class Call>
  auto on_control(Call call);
  Result<Trigger*> find_trigger(std::string_view name) const;
  Result<> watch_plugins();
  void report_strangers();
  void watch_certificates();
  void end_removed_sessions();
  template <class Each, class Close>
  void close_all(const Each& each, Close close, Monotonic deadline);

  const config::Config& config_;
  const std::filesystem::path state_dir_;
  Log& log_;
  const std::shared_ptr<EventLoop> supervisor_;
  EventLoop timer_;
  EventLoop control_;  // plugins, once started
  MessageIds ids_;
  mqtt::PahoLibrary library_;
  const std::unique_ptr<mqtt::Resolver> resolver_;
  Mutex trouble_mutex_;
  std::optional<std::string> inbox_trouble_ TRIGGERD_GUARDED_BY(trouble_mutex_);
  bool told_of_trouble_ TRIGGERD_GUARDED_BY(trouble_mutex_) = false;  // the triggers
  std::unique_ptr<inbox::Inbox> inbox_;
  std::unique_ptr<inbox::Writer> writer_;
  std::unique_ptr<mqtt::SessionMemory> sessions_;
  std::unique_ptr<mqtt::ConnectionServices> connections_;
  Publisher publisher_;
  PluginSet plugins_;
  PackageFailures package_failures_;               // constant once prepared
  std::map<std::string, std::string> client_ids_;  // by alias
  std::vector<std::unique_ptr<AliasConnection>> aliases_;
  std::vector<std::unique_ptr<Trigger>> triggers_;
  std::vector<std::unique_ptr<AliasConnection>> endings_;  // of sessions nobody wants any more
  Reloader reloader_;
  std::unique_ptr<plugin::Watcher> watcher_;
  std::atomic<bool> stopping_{false};
  bool ready_ = false;  // [supervisor] as last logged
  mqtt::tls::Stores certificates_;
  std::optional<mqtt::tls::Rotation> rotation_;  // [rotation]
  EventLoop rotation_loop_;
  std::jthread rotation_thread_;
  std::jthread supervisor_thread_;
  std::jthread timer_thread_;
  std::jthread control_thread_;
};

}  // namespace triggerd::trigger
