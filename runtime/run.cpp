#include "run.hpp"

#include <signal.h>
#include <unistd.h>

#include <algorithm>
#include <memory>
#include <string>
#include <system_error>
#include <utility>
#include <variant>

#include "admin/admin.hpp"
#include "base/descriptors.hpp"
#include "base/log.hpp"
#include "base/service_manager.hpp"
#include "base/state_dir.hpp"
#include "check.hpp"
#include "control/runtime.hpp"
#include "dispatch/deaths.hpp"
#include "ending.hpp"
#include "exposure.hpp"
#include "plugin/process/sudden_end.hpp"
#include "runtime_options.hpp"

namespace triggerd {
namespace {

void wait_for_end(const Signals& signals, control::Runtime& runtime,
                  const ServiceManager& manager) {
  while (signals.wait() == SIGHUP) {
    manager.reloading();
    runtime.request_reload("SIGHUP", [manager] { manager.ready(); });
  }
}

// Sockets are numbered from 256; an isolated trigger needs pipes and rings as well. Twice as many,
// for what is defined at run time.
unsigned descriptors_of(const config::Config& config) {
  const auto isolated = std::count_if(
      config.triggers.begin(), config.triggers.end(),
      [](const config::Trigger& it) { return it.isolation == config::Isolation::process; });
  return 512 + 2 * static_cast<unsigned>(config.aliases.size() + config.triggers.size() +
                                         8 * static_cast<std::size_t>(isolated));
}

int run_to_the_end(const std::string& file, config::Config config) {
  make_room_for_descriptors(descriptors_of(config));
  const Signals& signals = own_signals();
  // It is never destroyed: a detached thread may still write to it.
  static const std::unique_ptr<Log> kept =
      make_log(config.log.level, config.log.format, config.runtime.name);
  Log* const log = kept.get();
  const auto state = StateDir::open(config.runtime.state_dir);
  if (!state) {
    if (state.error().failure == StateDir::Failure::unusable) {
      return report({{config.runtime.state_dir_place, state.error().message}});
    }
    return report(Error{state.error().message});
  }
  // Neither is ever destroyed: a plugin's thread may still run.
  auto* const deaths = new dispatch::Deaths(state->path() / "crashes", *log);
  plugin::watch_for_sudden_end({.json = config.log.format == LogFormat::json,
                                .runtime = config.runtime.name,
                                .failure = kRuntimeFailure,
                                .record = deaths->record(),
                                .identity_key = deaths->key()});
  for (const std::string& exposed : exposed_files(config)) {
    log->warn("runtime.exposed", {}, "{}", exposed);
  }
  const admin::AdminOptions options = admin_options(config.admin, state->path());
  control::RuntimeOptions given = runtime_options(file);
  given.deaths = deaths;
  auto* runtime = new control::Runtime(std::move(config), state->path(), *log, std::move(given));
  StartWatch watch(signals, [runtime] { runtime->hurry(); });
  const auto prepared = runtime->prepare();
  const bool is_to_end = watch.end();
  if (is_to_end) {
    log->info("runtime.stopped", {}, "a signal ended the runtime during its start");
    _exit(kClean);  // a plugin's call may still run
  }
  if (!prepared) {
    const int code =
        std::visit([](const auto& problem) { return report(problem); }, prepared.error());
    delete runtime;
    return code;
  }
  // Before it connects: a second runtime with the same configuration fails here because its port is
  // taken, and does not take over the sessions of the first one.
  auto admin = admin::Admin::open(options, runtime->management(), *log);
  if (!admin) {
    const int code = report(admin.error());
    delete runtime;
    return code;
  }
  if (auto started = runtime->start(); !started) return report(started.error());
  (*admin)->serve();
  const auto manager = ServiceManager::of_environment();
  if (const auto often = manager.watchdog()) runtime->beat(*often, [manager] { manager.alive(); });
  manager.ready();
  wait_for_end(signals, *runtime, manager);
  manager.stopping(runtime->drain_timeout());
  end_at_the_next(signals);
  end_when_late(runtime->drain_timeout(), *log);
  // No request may change what is being taken down. If a call never returns, nothing that it uses
  // may be taken down.
  const bool admin_ended = (*admin)->stop();
  if (!runtime->stop() || !admin_ended) _exit(kClean);
  delete runtime;
  return kClean;
}

}  // namespace

const Signals& own_signals() {
  static const Signals signals;
  return signals;
}

int run(const std::string& file, config::Config config) {
  try {
    const int code = run_to_the_end(file, std::move(config));
    // Whatever else calls exit() is a plugin.
    plugin::end_in_good_order();
    return code;
  } catch (const std::system_error& error) {
    ::_exit(report(Error{fmt::format("cannot start: {}", error.what())}));
  }
}

}  // namespace triggerd
