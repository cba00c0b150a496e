// The parts of a runtime that reads its configuration again.
#pragma once

#include <filesystem>
#include <optional>
#include <utility>

#include "control/members/shutdown_sequence.hpp"
#include "control/reload/config_reloader.hpp"
#include "unit/control/fixture.hpp"

namespace triggerd::control::test {

class ReloadableParts : public Parts {
 protected:
  // `waits` is the clock of the threads that take_out() waits for.
  void make_reloader(const Clock& waits, LoadConfig load, std::filesystem::path config_file) {
    shutdown_.emplace(ShutdownSequence::Needs{.registry = registry_,
                                              .control = control_,
                                              .reloader = plugin_reloader_,
                                              .writer = *writer_,
                                              .publisher = publisher_,
                                              .outboxes = *outboxes_,
                                              .supervisor = *supervisor_,
                                              .timer = timer_,
                                              .clock = waits});
    sessions_.emplace(terminator_needs());
    reloader_.emplace(reloader_needs(), registry_.config(), std::move(load),
                      std::move(config_file));
  }
  ConfigReloader::Needs reloader_needs() {
    return {.registry = registry_,
            .control = control_,
            .stored_states = inbox_->triggers(),
            .handled_keys = inbox_->handled_keys(),
            .plugins = plugins_,
            .plugin_reloader = plugin_reloader_,
            .certificates = certificates_,
            .client_ids = *client_ids_,
            .factory = *factory_,
            .shutdown = *shutdown_,
            .sessions = *sessions_,
            .inbox_health = inbox_health_,
            .publisher = publisher_,
            .readiness = readiness_,
            .supervisor = *supervisor_,
            .log = log_};
  }

  std::optional<ShutdownSequence> shutdown_;
  std::optional<SessionTerminator> sessions_;
  std::optional<ConfigReloader> reloader_;
};

}  // namespace triggerd::control::test
