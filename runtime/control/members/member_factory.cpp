#include "control/members/member_factory.hpp"

#include <memory>
#include <utility>

#include "base/passing.hpp"
#include "config/topic_filter.hpp"

namespace triggerd::control {

mqtt::ConnectionOptions connection_options(const config::Alias& alias, std::string client_id,
                                           const mqtt::tls::Stores& certificates) {
  mqtt::ConnectionOptions options;
  options.alias = alias.name;
  options.client_id = std::move(client_id);
  options.servers = alias.servers;
  options.protocol = alias.protocol;
  options.session_expiry = alias.session_expiry;
  options.receive_maximum = alias.receive_maximum;
  options.topic_aliases = alias.topic_aliases;
  options.max_inflight = alias.max_inflight;
  options.filters_per_packet = alias.filters_per_packet;
  options.connection_timeout = alias.connection_timeout;
  options.keep_alive = alias.keep_alive;
  options.reconnect = alias.reconnect;
  options.max_packet_size = alias.max_packet_size;
  options.user_name = alias.user_name;
  options.password = alias.password;
  options.password_file = alias.password_file;
  options.password_command = alias.password_command;
  options.proxy = alias.proxy;
  options.tls = certificates.of(alias.name);
  return options;
}

Result<AliasPtr> MemberFactory::make_alias(const config::Alias& alias) {
  auto client_id = needs_.client_ids.of(alias);
  if (!client_id) return tl::make_unexpected(client_id.error());
  mqtt::ConnectionOptions options =
      connection_options(alias, *client_id, needs_.certificates.stores());
  options.last_will = alias.last_will;
  auto made = std::make_shared<AliasConnection>(needs_.timer.clock(),
                                                [this, name = alias.name] { alias_changed(name); });
  if (alias.outbox) {
    auto outbox = needs_.outboxes.open(alias.name, *client_id, *alias.outbox);
    if (!outbox) return tl::make_unexpected(outbox.error());
    made->use(*std::move(outbox), *alias.outbox);
    options.keeps_publishes = true;
    options.clean_session = false;  // the server knows what it has, over connections
  }
  if (auto prepared = made->prepare(needs_.connections, std::move(options)); !prepared) {
    return tl::make_unexpected(prepared.error());
  }
  return made;
}

// Services that publish may have waited for it. [supervisor]
void MemberFactory::alias_changed(const std::string& name) {
  needs_.readiness.update();
  const auto running = needs_.registry.now();
  const AliasPtr alias = running->alias(name);
  if (!alias || !alias->up()) return;
  for (const TriggerPtr& trigger : running->triggers) trigger->try_now();
}

void MemberFactory::start_later(const trigger::Trigger& failed, Millis delay) {
  needs_.control.after(delay, [this, name = failed.name(), failed = &failed] {
    const TriggerPtr now = needs_.registry.now()->trigger(name);
    if (now.get() == failed) (void)now->start_again();
  });
}

trigger::TriggerServices MemberFactory::trigger_services() {
  return {.connections = needs_.connections,
          .timer = needs_.timer,
          .inbox = needs_.inbox,
          .writer = needs_.writer,
          .publisher = needs_.publisher,
          .ids = needs_.ids,
          .log = needs_.log,
          .events = needs_.events,
          .running_changed = [this] { needs_.readiness.update(); },
          .start_later = [this](trigger::Trigger& trigger,
                                Millis delay) { start_later(trigger, delay); },
          .stopping = [this] { return needs_.control.stopping(); },
          .deaths = needs_.deaths};
}

tl::expected<TriggerPtr, MemberFactory::NotMade> MemberFactory::make_trigger(
    const config::Trigger& trigger) {
  const auto not_made = [&](const auto& diagnostic, const Error& error) {
    return tl::make_unexpected(NotMade{diagnostic(trigger, error), may_pass(error.code)});
  };
  auto generation = needs_.plugins.load(trigger.plugin, trigger.package);
  if (!generation) return not_made(plugin_diagnostic, generation.error());
  std::shared_ptr<plugin::Generation> monitor;
  if (!trigger.monitor_plugin.empty()) {
    auto loaded = needs_.plugins.load(trigger.monitor_plugin, trigger.package);
    if (!loaded) return not_made(monitor_diagnostic, loaded.error());
    monitor = *loaded;
  }
  auto made = std::make_shared<trigger::Trigger>(trigger, trigger_services());
  if (auto service = made->make_service(*generation, monitor); !service) {
    return not_made(plugin_diagnostic, service.error());
  }
  return made;
}

Result<> MemberFactory::connect(trigger::Trigger& trigger) {
  const ConfigPtr all = needs_.registry.config();
  const config::Trigger& defined = trigger.config();
  const config::Alias& alias = *all->find_alias(defined.alias);
  const auto alias_id = needs_.client_ids.of(alias);
  if (!alias_id) return tl::make_unexpected(alias_id.error());
  mqtt::ConnectionOptions options = connection_options(
      alias, trigger_client_id(*alias_id, defined.name), needs_.certificates.stores());
  options.trigger = defined.name;
  options.clean_session = alias.clean_session;
  for (const config::Topic& topic : defined.topics) {
    options.topics.push_back(topic);
    options.topics.back().filter = config::shared_filter(defined.shared_group, topic.filter);
  }
  return trigger.make_connection(std::move(options));
}

}  // namespace triggerd::control
