// triggerd: command line, signals, exit codes. Everything else is in the folders beside this file.
#include <pthread.h>
#include <signal.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <string>
#include <vector>

#include "admin/admin.hpp"
#include "base/log.hpp"
#include "base/state_dir.hpp"
#include "check.hpp"
#include "config/load.hpp"
#include "package/package.hpp"
#include "package_commands.hpp"
#include "trigger/runtime.hpp"
#include "version.hpp"

namespace {

using namespace triggerd;

// SIGTERM and SIGINT end the runtime, and a second one ends it at once. SIGHUP is kept from killing
// it. Blocked in every thread; wait() takes them one by one.
class Signals {
 public:
  Signals() {
    sigemptyset(&set_);
    for (const int signal : {SIGTERM, SIGINT, SIGHUP}) sigaddset(&set_, signal);
    pthread_sigmask(SIG_BLOCK, &set_, nullptr);
  }
  int wait() const {
    int signal = 0;
    while (sigwait(&set_, &signal) != 0) {
    }
    return signal;
  }
  void wait_for_end(trigger::Runtime& runtime) const {
    while (wait() == SIGHUP) runtime.request_reload("SIGHUP");
  }
  // A second signal: whoever sent it wants the process gone, whatever is in flight.
  void end_at_the_next() const {
    std::thread([this] {
      while (wait() == SIGHUP) {
      }
      _exit(kRuntimeFailure);
    }).detach();
  }

 private:
  sigset_t set_{};
};

// Kept relative to where the runtime was started, as the file's own messages have it.
trigger::RuntimeOptions runtime_options(const std::string& file) {
  const config::Environment environment = config::process_environment();
  trigger::RuntimeOptions options;
  options.probe_program = "/proc/self/exe";
  options.version = kVersion;
  options.config_file = file;
  options.load = [file, environment](const std::optional<std::string>& managed) {
    return config::load(file, environment, package::source(), managed);
  };
  options.packages = package_changes(file);
  return options;
}

admin::AdminOptions admin_options(const config::AdminSection& section,
                                  const std::filesystem::path& state_dir) {
  admin::AdminOptions options;
  options.listen = section.listen;
  if (!section.socket.empty()) options.socket = state_dir / section.socket;
  options.token = section.token.reveal();
  return options;
}

int run(const std::string& file, config::Config config) {
  static const Signals signals;  // used by a thread that outlives this function
  const auto log = make_log(config.log.level, config.log.format, config.runtime.name);
  const auto state = StateDir::open(config.runtime.state_dir);
  if (!state) {
    if (state.error().failure == StateDir::Failure::locked) {
      return report(Error{state.error().message});
    }
    return report({{config.runtime.state_dir_place, state.error().message}});
  }
  const admin::AdminOptions options = admin_options(config.admin, state->path());
  auto* runtime =
      new trigger::Runtime(std::move(config), state->path(), *log, runtime_options(file));
  if (const auto prepared = runtime->prepare(); !prepared) {
    const int code =
        std::visit([](const auto& problem) { return report(problem); }, prepared.error());
    delete runtime;
    return code;
  }
  if (auto started = runtime->start(); !started) return report(started.error());
  auto admin = admin::Admin::start(options, *runtime, *log);
  if (!admin) {
    const int code = report(admin.error());
    // What it has begun to receive is safe; its sessions stay at the servers.
    if (!runtime->stop()) _exit(code);
    delete runtime;
    return code;
  }
  signals.wait_for_end(*runtime);
  signals.end_at_the_next();
  // With a call that never returns, nothing may be taken down around it.
  const bool stopped = runtime->stop();
  if (!(*admin)->stop() || !stopped) _exit(kClean);
  delete runtime;
  return kClean;
}

}  // namespace

int main(int argc, char** argv) {
  CLI::App app{"triggerd: runs plugin services on MQTT messages"};
  std::string file = "triggers.toml";
  std::string plugin;
  bool check_only = false;
  app.add_option("--config", file, "the configuration")->capture_default_str();
  app.add_flag("--check", check_only, "check the configuration and every plugin, then exit");
  app.add_option("--probe", plugin, "load this plugin file, say what it has, then exit");
  const PackageCommands packages(app, file);
  app.set_version_flag("--version", std::string("triggerd ") + kVersion);
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? kClean : kConfiguration;
  }
  if (!plugin.empty()) return probe(plugin);
  if (packages.chosen()) return packages.run();
  auto config = config::load(file, config::process_environment(), package::source());
  if (!config) return report(config.error());
  return check_only ? check(file, *config) : run(file, *std::move(config));
}
