// Changes what is configured.
#pragma once

#include <string_view>

#include "base/log.hpp"
#include "control/reload/config_reloader.hpp"
#include "control/running/control_thread.hpp"
#include "control/running/registry.hpp"
#include "management/definitions.hpp"

namespace triggerd::control {

// Definitions that an administrator makes stand in STATE_DIR/managed.toml, and are checked and
// taken as a changed file would be. [any]
class Definitions final : public management::DefinitionControl {
 public:
  // All outlive it.
  struct Needs {
    ControlThread& control;
    const Registry& registry;
    ConfigReloader& reloader;
    Log& log;
  };
  explicit Definitions(const Needs& needs) : needs_(needs) {}

  management::Outcome<management::ReloadReport> change_definition(
      const management::DefinitionChange& change, const management::Actor& by) override;
  management::Outcome<management::ReloadReport> reload(const management::Actor& by) override;

 private:
  management::Outcome<management::ReloadReport> change_now(
      const management::DefinitionChange& change, const management::Actor& by);

  const Needs needs_;
};

// If the managed file has disabled it, it is written without that, and reloaded. It is the
// runtime's own file to write, and enabling is not defining: [admin] manage is not needed.
// [control]
management::Outcome<> enable_in_managed_file(ConfigReloader& reloader, const config::Config& config,
                                             management::DefinitionKind kind,
                                             std::string_view name);

}  // namespace triggerd::control
