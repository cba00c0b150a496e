// Shows what runs.
#pragma once

#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "control/members/inbox_health.hpp"
#include "control/members/liveness.hpp"
#include "control/members/readiness.hpp"
#include "control/plugins/plugin_board.hpp"
#include "control/plugins/plugin_set.hpp"
#include "control/reload/config_reloader.hpp"
#include "control/running/registry.hpp"
#include "control/services/inbox_figures.hpp"
#include "inbox/writer.hpp"
#include "management/status.hpp"
#include "mqtt/tls/inventory.hpp"
#include "outbox/outboxes.hpp"
#include "trigger/publisher.hpp"

namespace triggerd::control {

// Each answer is put together from one snapshot of what runs. [any]
class Status final : public management::StatusReader {
 public:
  // What it shows. All outlive it.
  struct Needs {
    const Registry& registry;
    const Readiness& readiness;
    const Liveness& liveness;
    const ConfigReloader& reloader;
    const PluginBoard& plugin_board;
    const PluginSet& plugins;
    const InboxHealth& inbox_health;
    inbox::Inbox& inbox;
    const inbox::Writer& writer;
    const trigger::Publisher& publisher;
    const outbox::Outboxes& outboxes;
    const Clock& clock;
  };
  // What stays as it is.
  struct About {
    std::string version{};
    std::string config_file{};
    Wall started{};
  };
  Status(const Needs& needs, About about)
      : needs_(needs), about_(std::move(about)), figures_(needs.inbox, needs.clock) {}

  management::RuntimeStatus runtime() const override;
  std::vector<management::AliasStatus> aliases() const override;
  management::Outcome<management::AliasStatus> alias(std::string_view name) const override;
  std::vector<management::TriggerStatus> triggers() const override;
  management::Outcome<management::TriggerStatus> trigger(std::string_view name) const override;
  std::vector<management::PluginStatus> plugins() const override;
  std::vector<management::PackageStatus> packages() const override;
  std::vector<management::StoreStatus> stores() const override;
  management::InboxStatus inbox_status() const override;
  std::vector<management::TopicMatch> match(std::string_view topic) const override;

 private:
  // `triggers`: those that run and have that alias.
  management::AliasStatus status_of(const Running& running, const config::Alias& alias,
                                    const std::vector<TriggerPtr>& triggers) const;

  const Needs needs_;
  const About about_;
  const InboxFigures figures_;
  const mqtt::tls::Inventory inventory_;
};

}  // namespace triggerd::control
