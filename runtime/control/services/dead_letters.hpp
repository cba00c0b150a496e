// Shows dead letters, and edits, replays and drops them.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "base/log.hpp"
#include "control/running/control_thread.hpp"
#include "control/running/registry.hpp"
#include "inbox/dead_letters.hpp"
#include "management/dead_letters.hpp"

namespace triggerd::control {

// Works on the inbox without [control], which may be busy draining something. [any]
class DeadLetters final : public management::DeadLetterControl {
 public:
  // All outlive it.
  struct Needs {
    const ControlThread& control;
    const Registry& registry;
    inbox::DeadLetters& stored;
    Log& log;
  };
  explicit DeadLetters(const Needs& needs) : needs_(needs) {}

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
  // Null if it is not running.
  TriggerPtr running_trigger(std::string_view name) const;
  // For each: waits until `may_go`, as long as `progress` lets it, then calls `call`.
  management::Outcome<management::DeadLettersDone> for_each(
      const management::DeadLetterFilter& filter, const Progress& progress,
      const std::function<Result<>(const inbox::DeadLetter&)>& may_go,
      const std::function<management::Outcome<>(std::int64_t)>& call);

  const Needs needs_;
};

}  // namespace triggerd::control
