// triggerd: command line, signals, exit codes. Everything else is in the folders beside this file.
#include <pthread.h>
#include <signal.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <string>
#include <vector>

#include "base/log.hpp"
#include "base/service_manager.hpp"
#include "base/state_dir.hpp"
#include "check.hpp"
#include "config/load.hpp"
#include "manual_page.hpp"
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
  void wait_for_end(Log& log, const ServiceManager& manager) const {
    while (wait() == SIGHUP) {
      manager.reloading();
      log.warn("runtime.reload", {},
               "the configuration cannot be reloaded in this version; restart");
      manager.ready();
    }
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

int run(const config::Config& config) {
  static const Signals signals;  // used by a thread that outlives this function
  const auto log = make_log(config.log.level, config.log.format, config.runtime.name);
  const auto state = StateDir::open(config.runtime.state_dir);
  if (!state) {
    if (state.error().failure == StateDir::Failure::locked) {
      return report(Error{state.error().message});
    }
    return report({{config.runtime.state_dir_place, state.error().message}});
  }
  auto* runtime = new trigger::Runtime(config, state->path(), *log, "/proc/self/exe");
  if (const auto prepared = runtime->prepare(); !prepared) {
    const int code =
        std::visit([](const auto& problem) { return report(problem); }, prepared.error());
    delete runtime;
    return code;
  }
  if (auto started = runtime->start(); !started) return report(started.error());
  const auto manager = ServiceManager::of_environment();
  if (const auto often = manager.watchdog()) runtime->beat(*often, [manager] { manager.alive(); });
  manager.ready();
  signals.wait_for_end(*log, manager);
  manager.stopping(config.runtime.drain_timeout);
  signals.end_at_the_next();
  // With a service call that never returns, nothing may be taken down around it.
  if (!runtime->stop()) _exit(kClean);
  delete runtime;
  return kClean;
}

}  // namespace

int main(int argc, char** argv) {
  CLI::App app{"triggerd: runs plugin services on MQTT messages"};
  std::string file = "triggers.toml";
  std::string plugin;
  bool check_only = false;
  bool manual_page = false;
  app.add_option("--config", file, "the configuration")->capture_default_str();
  app.add_flag("--check", check_only, "check the configuration and every plugin, then exit");
  app.add_option("--probe", plugin, "load this plugin file, say what it has, then exit");
  app.add_flag("--manual-page", manual_page, "print the manual page, then exit")->group("");
  const PackageCommands packages(app, file);
  app.set_version_flag("--version", std::string("triggerd ") + kVersion);
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? kClean : kConfiguration;
  }
  if (manual_page) return print_manual_page(app);
  if (!plugin.empty()) return probe(plugin);
  if (packages.chosen()) return packages.run();
  const auto config = config::load(file, config::process_environment(), package::source());
  if (!config) return report(config.error());
  return check_only ? check(file, *config) : run(*config);
}
