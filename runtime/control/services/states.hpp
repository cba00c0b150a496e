// Enables, disables, suspends and resumes.
#pragma once

#include <optional>
#include <string_view>

#include "base/log.hpp"
#include "control/reload/config_reloader.hpp"
#include "control/running/control_thread.hpp"
#include "control/running/registry.hpp"
#include "inbox/trigger_records.hpp"
#include "management/states.hpp"
#include "management/status.hpp"

namespace triggerd::control {

// A trigger keeps its state itself. An alias that is disabled is taken out by a reload, and its
// state is kept in the inbox. [any]
class States final : public management::StateControl {
 public:
  // All outlive it.
  struct Needs {
    ControlThread& control;
    const Registry& registry;
    const management::StatusReader& status;
    ConfigReloader& reloader;
    inbox::TriggerRecords& stored;
    Log& log;
  };
  explicit States(const Needs& needs) : needs_(needs) {}

  management::Outcome<> enable_trigger(std::string_view name, const management::Actor& by) override;
  management::Outcome<> disable_trigger(std::string_view name, const management::Actor& by,
                                        const std::string& reason) override;
  management::Outcome<> suspend_trigger(std::string_view name, const management::Actor& by,
                                        const std::string& reason) override;
  management::Outcome<> resume_trigger(std::string_view name, const management::Actor& by) override;
  management::Outcome<> enable_alias(std::string_view name, const management::Actor& by) override;
  management::Outcome<> disable_alias(std::string_view name, const management::Actor& by,
                                      const std::string& reason) override;

 private:
  // [control]
  management::Outcome<TriggerPtr> find_trigger(std::string_view name) const;
  // The same; `advice` ends the error about one that is disabled.
  management::Outcome<TriggerPtr> find_enabled_trigger(std::string_view name,
                                                       std::string_view advice) const;
  management::Outcome<> enable(trigger::Trigger& trigger, const management::Actor& by) const;
  management::Outcome<> change_alias(std::string_view name,
                                     const std::optional<inbox::TriggerState>& state);

  const Needs needs_;
};

}  // namespace triggerd::control
