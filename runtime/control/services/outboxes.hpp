// Shows and clears outboxes.
#pragma once

#include <string_view>
#include <vector>

#include "base/log.hpp"
#include "control/running/registry.hpp"
#include "inbox/outgoing.hpp"
#include "management/outboxes.hpp"
#include "outbox/outboxes.hpp"

namespace triggerd::control {

// [any]
class Outboxes final : public management::OutboxControl {
 public:
  // All outlive it.
  struct Needs {
    const Registry& registry;
    outbox::Outboxes& outboxes;
    inbox::Outgoing& stored;
    const Clock& clock;  // that of the supervisor
    Log& log;
  };
  explicit Outboxes(const Needs& needs) : needs_(needs) {}

  management::Outcome<std::vector<management::KeptMessage>> kept_messages(
      std::string_view alias, std::size_t limit, std::size_t payload_bytes) const override;
  management::Outcome<std::uint64_t> clear_outbox(std::string_view alias,
                                                  const management::Actor& by) override;

 private:
  management::AdminError none(std::string_view alias) const;

  const Needs needs_;
};

}  // namespace triggerd::control
