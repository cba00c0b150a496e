// Runtime: aliases and triggers, one by one.
#include <algorithm>
#include <random>

#include "base/passing.hpp"
#include "config/topic_filter.hpp"
#include "control/alias_connection.hpp"
#include "control/close_all.hpp"
#include "control/runtime.hpp"
#include "trigger/draining.hpp"
#include "trigger/grace.hpp"

namespace triggerd::control {
namespace {

constexpr Millis kRetireAgain{1'000};

std::string draw_client_id() {
  std::random_device entropy;
  return fmt::format("triggerd-{:08x}{:08x}", entropy(), entropy());
}

template <class Member>
std::shared_ptr<Member> find_by_name(const std::vector<std::shared_ptr<Member>>& members,
                                     std::string_view name) {
  const auto found = std::find_if(members.begin(), members.end(),
                                  [name](const auto& member) { return member->name() == name; });
  return found == members.end() ? nullptr : *found;
}

}  // namespace

// ---- Who there is ----

Runtime::ConfigPtr Runtime::config() const {
  MutexLock lock(members_mutex_);
  return config_;
}

std::vector<Runtime::TriggerPtr> Runtime::all_triggers() const {
  MutexLock lock(members_mutex_);
  return triggers_;
}

std::vector<Runtime::AliasPtr> Runtime::all_aliases() const {
  MutexLock lock(members_mutex_);
  return aliases_;
}

Runtime::TriggerPtr Runtime::running_trigger(std::string_view name) const {
  MutexLock lock(members_mutex_);
  return find_by_name(triggers_, name);
}

Runtime::AliasPtr Runtime::running_alias(std::string_view name) const {
  MutexLock lock(members_mutex_);
  return find_by_name(aliases_, name);
}

bool Runtime::wants(const PackageFailures& failures, const config::Alias& alias) {
  return alias.enabled && !failures.contains(alias.package);
}

bool Runtime::wants(const config::Config& config, const PackageFailures& failures,
                    const config::Trigger& trigger) {
  const config::Alias* alias = config.find_alias(trigger.alias);
  return trigger.enabled && alias != nullptr && wants(failures, *alias) &&
         !failures.contains(trigger.package);
}

// ---- Making ----

mqtt::ConnectionOptions Runtime::options_of(const config::Alias& alias, std::string client_id,
                                            const mqtt::tls::Stores& certificates) const {
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
  options.proxy = alias.proxy;
  options.tls = certificates.of(alias.name);
  return options;
}

mqtt::ConnectionOptions Runtime::options_of(const config::Trigger& trigger) const {
  const ConfigPtr all = config();
  const config::Alias& alias = *all->find_alias(trigger.alias);
  mqtt::ConnectionOptions options =
      options_of(alias, client_ids_.at(alias.name) + "." + trigger.name, certificates_);
  options.trigger = trigger.name;
  options.clean_session = alias.clean_session;
  for (const config::Topic& topic : trigger.topics) {
    options.topics.push_back(topic);
    options.topics.back().filter = config::shared_filter(trigger.shared_group, topic.filter);
  }
  return options;
}

Result<std::string> Runtime::client_id_of(const config::Alias& alias) {
  if (!alias.client_id.empty()) return alias.client_id;
  return inbox_->client_id(alias.name, draw_client_id());
}

Result<Runtime::AliasPtr> Runtime::make_alias(const config::Alias& alias) {
  auto client_id = client_id_of(alias);
  if (!client_id) return tl::make_unexpected(client_id.error());
  client_ids_[alias.name] = *client_id;
  mqtt::ConnectionOptions options = options_of(alias, *client_id, certificates_);
  options.last_will = alias.last_will;
  auto made = std::make_shared<AliasConnection>([this, name = alias.name] { alias_changed(name); });
  if (auto prepared = made->prepare(*connections_, std::move(options)); !prepared) {
    return tl::make_unexpected(prepared.error());
  }
  return made;
}

// Services that publish may have waited for it. [supervisor]
void Runtime::alias_changed(const std::string& name) {
  report_readiness();
  const AliasPtr alias = running_alias(name);
  if (!alias || !alias->up()) return;
  for (const TriggerPtr& trigger : all_triggers()) trigger->try_now();
}

trigger::TriggerServices Runtime::trigger_services() {
  return {.connections = *connections_,
          .timer = timer_,
          .inbox = *inbox_,
          .writer = *writer_,
          .publisher = publisher_,
          .ids = ids_,
          .log = log_,
          .events = events_,
          .running_changed = [this] { report_readiness(); },
          .start_later = [this](trigger::Trigger& trigger,
                                Millis delay) { start_later(trigger, delay); },
          .stopping = [this] { return stopping_.load(); },
          .deaths = options_.deaths};
}

tl::expected<Runtime::TriggerPtr, Runtime::NotMade> Runtime::make_trigger(
    const config::Trigger& trigger) {
  const auto not_made = [&](const auto& diagnostic, const Error& error) {
    return tl::make_unexpected(NotMade{diagnostic(trigger, error), may_pass(error.code)});
  };
  auto generation = plugins_.load(trigger.plugin, trigger.package);
  if (!generation) return not_made(plugin_diagnostic, generation.error());
  std::shared_ptr<plugin::Generation> monitor;
  if (!trigger.monitor_plugin.empty()) {
    auto loaded = plugins_.load(trigger.monitor_plugin, trigger.package);
    if (!loaded) return not_made(monitor_diagnostic, loaded.error());
    monitor = *loaded;
  }
  auto made = std::make_shared<trigger::Trigger>(trigger, trigger_services());
  if (auto service = made->make_service(*generation, monitor); !service) {
    return not_made(plugin_diagnostic, service.error());
  }
  return made;
}

void Runtime::take_in(AliasPtr alias) {
  // Whoever publishes keeps the listener of the connection with it.
  publisher_.add(alias->name(), {alias, alias->connection().get()});
  MutexLock lock(members_mutex_);
  aliases_.push_back(std::move(alias));
}

void Runtime::take_in(TriggerPtr trigger) {
  MutexLock lock(members_mutex_);
  triggers_.push_back(std::move(trigger));
}

// ---- Taking out ----

// As the runtime itself stops, but for these alone: what they have accepted is finished, or kept by
// the inbox and the server; their sessions stay.
void Runtime::stop_triggers(const std::vector<TriggerPtr>& triggers) {
  if (triggers.empty()) return;
  const auto now = [] { return std::chrono::steady_clock::now(); };
  const Millis timeout = config()->runtime.drain_timeout;
  const Monotonic drained = now() + timeout;
  for (const TriggerPtr& trigger : triggers) {
    reloader_.forget(*trigger);
    trigger->stop_receiving();
  }
  drain(triggers, drained);
  (void)writer_->flush(now() + trigger::kDisconnectGrace);
  close_all(
      triggers, [](const TriggerPtr& trigger, auto done) { trigger->close(done); },
      now() + trigger::kDisconnectGrace + trigger::kDisconnectGrace);
  const std::vector<TriggerPtr> stuck = finish(triggers, now() + trigger::kServiceGrace);
  for (const TriggerPtr& trigger : triggers) {
    {
      MutexLock lock(members_mutex_);
      std::erase(triggers_, trigger);
    }
    trigger->end_tasks();
    const bool is_stuck = std::find(stuck.begin(), stuck.end(), trigger) != stuck.end();
    (is_stuck ? stuck_ : retired_).push_back(trigger);
  }
  bury_retired();
}

void Runtime::drain(const std::vector<TriggerPtr>& triggers, Monotonic deadline) {
  std::vector<trigger::Draining*> all;
  all.reserve(triggers.size());
  for (const TriggerPtr& trigger : triggers) all.push_back(trigger.get());
  const bool stops = stopping_;  // else it may be told to meanwhile
  trigger::drain_all(all, *writer_, deadline, [this, stops] { return !stops && stopping_; });
}

std::vector<Runtime::TriggerPtr> Runtime::finish(const std::vector<TriggerPtr>& triggers,
                                                 Monotonic deadline) {
  for (const TriggerPtr& trigger : triggers) trigger->end_workers();
  for (const TriggerPtr& trigger : triggers) trigger->join_workers(deadline);
  std::vector<TriggerPtr> stuck;
  for (const TriggerPtr& trigger : triggers) {
    if (!trigger->finish(deadline)) stuck.push_back(trigger);
  }
  const bool written =
      writer_->flush(std::max(deadline, std::chrono::steady_clock::now() + trigger::kLastWrite));
  for (const TriggerPtr& trigger : triggers) trigger->tell_leftovers(written);
  return stuck;
}

// Destroys what has stopped, once nobody can be looking at it any more.
void Runtime::bury_retired() {
  if (retired_.empty()) return;
  pass(*supervisor_);
  pass(timer_);
  if (writer_->flush(std::chrono::steady_clock::now() + trigger::kDisconnectGrace)) {
    retired_.clear();
    return;
  }
  // What the writer cannot write lives in their memory.
  control_.after(kRetireAgain, [this] {
    if (!stopping_) bury_retired();
  });
}

void Runtime::stop_aliases(const std::vector<AliasPtr>& aliases) {
  if (aliases.empty()) return;
  for (const AliasPtr& alias : aliases) {
    publisher_.remove(alias->name());
    MutexLock lock(members_mutex_);
    std::erase(aliases_, alias);
  }
  close_all(
      aliases, [](const AliasPtr& alias, auto done) { alias->connection()->close(done); },
      std::chrono::steady_clock::now() + trigger::kDisconnectGrace + trigger::kDisconnectGrace);
  pass(*supervisor_);
}

}  // namespace triggerd::control
