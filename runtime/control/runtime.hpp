// control/: everything that one configuration asks for: made, started, changed while it runs, and
// stopped. Its rooms, each of which knows those above it:
//
//   running/   what runs (registry.hpp), and the thread that changes it (control_thread.hpp)
//   plugins/   the plugins that are loaded, and how another build of one takes over
//   members/   aliases and triggers: made, stopped; what all of them share: certificates, the
//              health of the inbox, readiness, sessions that nobody wants any more
//   reload/    another configuration takes over
//   services/  the interfaces of management/, one class each
#pragma once

#include <filesystem>
#include <functional>
#include <memory>
#include <string>
#include <thread>
#include <variant>
#include <vector>

#include "base/event_loop.hpp"
#include "base/log.hpp"
#include "config/config.hpp"
#include "control/members/certificate_rotation.hpp"
#include "control/members/inbox_health.hpp"
#include "control/members/liveness.hpp"
#include "control/members/readiness.hpp"
#include "control/plugins/plugin_board.hpp"
#include "control/plugins/plugin_reloader.hpp"
#include "control/plugins/plugin_set.hpp"
#include "control/plugins/running_triggers.hpp"
#include "control/reload/config_reloader.hpp"
#include "control/running/control_thread.hpp"
#include "control/running/registry.hpp"
#include "control/services/packages.hpp"
#include "inbox/inbox.hpp"
#include "management/event_bus.hpp"
#include "management/management.hpp"
#include "mqtt/paho/paho_client.hpp"
#include "plugin/instance/life_call.hpp"

namespace triggerd::dispatch {
class Deaths;
}  // namespace triggerd::dispatch

namespace triggerd::control {

// What the program around a runtime knows, and the runtime does not.
struct RuntimeOptions {
  // This program, which runs itself as `PROGRAM --probe FILE` before it loads a plugin, or another
  // build of one, and as `PROGRAM --worker` for isolated triggers; empty: it does not.
  std::filesystem::path probe_program{};
  std::string version{};
  std::filesystem::path config_file{};  // as it was given
  LoadConfig load{};                    // empty: the configuration cannot be reloaded
  // How long another build of a plugin is watched before it is trusted.
  Millis probation{30'000};
  PackageChanges packages{};
  // What ended earlier runs; outlives the runtime. May be null.
  dispatch::Deaths* deaths = nullptr;
};

// Composes the parts of a runtime, and knows in which order they are made, started and stopped.
// What changes while it runs, and what is shown of it, is theirs.
//
// Threads: main makes, starts and stops it. Everything that changes what runs meanwhile is done on
// one thread, [control], one change after another; what management() returns may be called from
// any. It has no lock of its own. `log` and the state folder's lock outlive it.
class Runtime {
 public:
  Runtime(config::Config config, std::filesystem::path state_dir, Log& log,
          RuntimeOptions options = {});
  ~Runtime();
  Runtime(const Runtime&) = delete;
  Runtime& operator=(const Runtime&) = delete;

  // Opens the inbox, loads the plugins, makes instances and connections. Nothing is connected yet.
  // Diagnostics: the configuration is at fault; an Error: this machine is. What is wrong with a
  // package is logged, and keeps that package out and no other.
  using Problem = std::variant<Error, Diagnostics>;
  tl::expected<void, Problem> prepare();
  // It has to stop once it is made, so calls that hang are waited for no longer than in stop().
  // [any]
  void hurry();

  // Makes connections, and has services started on [control]: it does not wait for them. One that
  // does not start takes its trigger out, and no other, and is tried again.
  Result<> start();
  // From now on calls `alive` about once each `interval`, as long as the supervisor and the timer
  // run, and no service blocks the receive thread. After start().
  void beat(Millis interval, std::function<void()> alive) {
    liveness_.beat(interval, std::move(alive));
  }

  // Stops receiving, lets what is in flight finish, ends services, disconnects from the servers.
  // Done within the configuration's drain_timeout. False: a service call never returned, and only
  // the end of the process ends it; then this object must not be destroyed.
  [[nodiscard]] bool stop();

  // Reads the configuration again, and returns at once: the result is in the log, and `done` is
  // called after it, unless the runtime stops before. [any]
  void request_reload(const std::string& by, std::function<void()> done = {});
  // Of the configuration as it is now. [any]
  Millis drain_timeout() const { return registry_.config()->runtime.drain_timeout; }

  // Once it is prepared. [any]
  management::Management management();
  inbox::Inbox& inbox();

 private:
  struct Parts;

  Result<> open_inbox();
  Result<> take_alias_states();
  Result<> make_aliases();
  tl::expected<void, Problem> make_triggers();
  void leave_out_broken_packages();
  void start_threads();
  void start_services();
  void report_orphaned();
  void report_orphaned_outboxes();
  void remove_forgotten_keys();

  const std::filesystem::path state_dir_;
  const RuntimeOptions options_;
  const std::shared_ptr<plugin::Patience> patience_;
  const Wall started_at_;
  management::EventBus events_;
  management::EventLog log_;
  Registry registry_;
  const std::shared_ptr<EventLoop> supervisor_;
  EventLoop timer_;
  ControlThread control_;
  mqtt::PahoLibrary library_;
  PluginSet plugins_;  // [control]
  RunningTriggers plugin_users_;
  PluginReloader plugin_reloader_;
  PluginBoard plugin_board_;
  InboxHealth inbox_health_;
  Readiness readiness_;
  Liveness liveness_;
  CertificateRotation certificates_;
  std::unique_ptr<Parts> parts_;  // what needs the inbox; null until it is open
  std::jthread supervisor_thread_;
  std::jthread timer_thread_;
};

}  // namespace triggerd::control
