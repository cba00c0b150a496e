#include "control/services/status.hpp"

#include <fmt/format.h>
#include <unistd.h>

#include <map>

#include "config/load.hpp"
#include "config/order.hpp"
#include "config/secrets.hpp"
#include "config/topic_filter.hpp"
#include "config/tree.hpp"
#include "config/write_tree.hpp"
#include "control/running/admin_errors.hpp"
#include "control/services/pacing_rules.hpp"

namespace triggerd::control {
namespace {

management::CertificateStatus::Age shown_age(const mqtt::tls::Validity& validity, Wall now) {
  switch (mqtt::tls::age_of(validity, now)) {
    case mqtt::tls::Age::good:
      return management::CertificateStatus::Age::good;
    case mqtt::tls::Age::ends_soon:
      return management::CertificateStatus::Age::ends_soon;
    case mqtt::tls::Age::expired:
      return management::CertificateStatus::Age::expired;
    case mqtt::tls::Age::not_yet:
      break;
  }
  return management::CertificateStatus::Age::not_yet;
}

management::Definition definition_of(const config::Config& all, const std::string& name,
                                     const std::string& package, const config::Place& place) {
  management::Definition definition;
  definition.name = name;
  definition.package = package;
  definition.file = place.file;
  definition.line = place.line;
  const bool managed =
      std::filesystem::path(place.file) == all.runtime.state_dir / config::kManagedFile;
  definition.origin = !package.empty() ? management::Definition::Origin::package
                      : managed        ? management::Definition::Origin::managed
                                       : management::Definition::Origin::file;
  return definition;
}

management::OutboxStatus outbox_status(const outbox::OutboxStats& stats) {
  return {.messages = stats.messages,
          .bytes = stats.bytes,
          .max_bytes = stats.max_bytes,
          .in_flight = stats.in_flight,
          .oldest = stats.oldest,
          .sent = stats.sent,
          .refused = stats.refused,
          .dropped = stats.dropped,
          .expired = stats.expired,
          .cleared = stats.cleared};
}

// As it was written. Lists are asked for often, and do without.
void add_text(management::Definition& definition, const config::Node* written) {
  if (written == nullptr) return;
  config::Shown shown = config::without_secrets(*written);
  definition.json = config::to_json(shown.table);
  definition.toml = config::to_toml(shown.table);
  definition.secrets = std::move(shown.secrets);
}

// Of a trigger that is not among those that run.
void say_why_not(management::TriggerStatus& status, const Running& running,
                 const config::Trigger& trigger) {
  const config::Config& all = *running.config;
  if (!trigger.enabled) {
    status.state = management::TriggerStatus::State::disabled;
    status.state_by = is_of_disabled_package(all, trigger) ? "its package" : "the configuration";
    status.not_running_reason = "disabled by " + status.state_by;
    return;
  }
  const config::Alias* alias = all.find_alias(trigger.alias);
  const auto why = running.not_made.find(trigger.name);
  status.not_running_reason = alias != nullptr && !alias->enabled ? "its alias is disabled"
                              : why != running.not_made.end()     ? why->second
                                                                  : "it is being changed";
}

management::TriggerStatus status_of(const Running& running, const config::Trigger& trigger,
                                    const inbox::Figures& inbox) {
  management::TriggerStatus status;
  status.definition = definition_of(*running.config, trigger.name, trigger.package, trigger.place);
  status.alias = trigger.alias;
  status.service =
      trigger.service.empty() ? trigger.plugin : trigger.plugin + ":" + trigger.service;
  status.description = trigger.description;
  status.pacing.rules = pacing_rules(trigger);
  if (const auto found = inbox.triggers.find(trigger.name); found != inbox.triggers.end()) {
    status.inbox_messages = found->second.messages;
    status.inbox_oldest = found->second.oldest;
    status.dead_letters = found->second.dead_letters;
  }
  if (const TriggerPtr runs = running.trigger(trigger.name)) {
    runs->fill_in(status);
  } else {
    say_why_not(status, running, trigger);
  }
  return status;
}

}  // namespace

management::RuntimeStatus Status::runtime() const {
  const ConfigPtr all = needs_.registry.config();
  management::RuntimeStatus status;
  status.name = all->runtime.name;
  status.version = about_.version;
  status.started = about_.started;
  status.process_id = ::getpid();
  status.manage = all->admin.manage;
  status.config_file = about_.config_file;
  ReloadRecord record = needs_.reloader.record();
  status.reloaded = record.applied;
  status.last_reload_failure = std::move(record.failure);
  status.needs_restart = std::move(record.needs_restart);
  status.not_ready = needs_.readiness.reasons();
  status.ready = status.not_ready.empty();
  status.not_healthy = needs_.liveness.reasons();
  status.healthy = status.not_healthy.empty();
  return status;
}

// ---- Aliases ----

management::AliasStatus Status::status_of(const Running& running, const config::Alias& alias,
                                          const std::vector<TriggerPtr>& triggers) const {
  const config::Config& all = *running.config;
  management::AliasStatus status;
  status.definition = definition_of(all, alias.name, alias.package, alias.place);
  status.enabled = alias.enabled;
  status.description = alias.description;
  for (const config::Server& server : alias.servers) {
    status.servers.push_back(config::to_string(server));
  }
  status.client_id = alias.client_id;
  status.protocol = alias.protocol == config::Protocol::v5 ? "5" : "3.1.1";
  if (!alias.enabled) {
    const config::Package* package = all.find_package(alias.package);
    status.disabled_by =
        package != nullptr && !package->enabled ? "its package" : "the configuration";
    if (const auto state = running.alias_states.find(alias.name);
        state != running.alias_states.end()) {
      status.disabled_by = state->second.changed_by;
      status.disabled_reason = state->second.reason;
      status.disabled_since = state->second.since;
    }
  }
  if (const AliasPtr runs = running.alias(alias.name)) {
    status.up = runs->up();
    status.connections.push_back(runs->view());
    status.client_id = status.connections.front().client_id;
    status.certificate_ends = runs->connection()->certificate_ends();
  }
  for (const TriggerPtr& trigger : triggers) {
    status.connections.push_back(trigger->connection_view());
  }
  const trigger::Publisher::Counts counts = needs_.publisher.counts(alias.name);
  status.published_ok = counts.ok;
  status.published_failed = counts.failed;
  if (const auto outbox = alias.outbox ? needs_.outboxes.find(alias.name) : nullptr) {
    status.outbox = outbox_status(outbox->stats());
  }
  return status;
}

std::vector<management::AliasStatus> Status::aliases() const {
  const auto running = needs_.registry.now();
  std::map<std::string_view, std::vector<TriggerPtr>> triggers;  // by alias
  for (const TriggerPtr& trigger : running->triggers) {
    triggers[trigger->config().alias].push_back(trigger);
  }
  std::vector<management::AliasStatus> statuses;
  for (const config::Alias& alias : running->config->aliases) {
    statuses.push_back(status_of(*running, alias, triggers[alias.name]));
  }
  return statuses;
}

management::Outcome<management::AliasStatus> Status::alias(std::string_view name) const {
  const auto running = needs_.registry.now();
  const config::Alias* found = running->config->find_alias(name);
  if (found == nullptr) return no_alias(*running->config, name);
  std::vector<TriggerPtr> triggers;
  for (const TriggerPtr& trigger : running->triggers) {
    if (trigger->config().alias == name) triggers.push_back(trigger);
  }
  management::AliasStatus status = status_of(*running, *found, triggers);
  add_text(status.definition, found->written.get());
  return status;
}

// ---- Triggers ----

std::vector<management::TriggerStatus> Status::triggers() const {
  const inbox::Figures figures = figures_.now();
  const auto running = needs_.registry.now();
  std::vector<management::TriggerStatus> statuses;
  for (const config::Trigger& trigger : running->config->triggers) {
    statuses.push_back(control::status_of(*running, trigger, figures));
  }
  return statuses;
}

management::Outcome<management::TriggerStatus> Status::trigger(std::string_view name) const {
  const inbox::Figures figures = figures_.now();
  const auto running = needs_.registry.now();
  const config::Trigger* found = running->config->find_trigger(name);
  if (found == nullptr) return no_trigger(*running->config, name);
  management::TriggerStatus status = control::status_of(*running, *found, figures);
  add_text(status.definition, found->written.get());
  return status;
}

std::vector<management::TopicMatch> Status::match(std::string_view topic) const {
  const auto running = needs_.registry.now();
  std::vector<management::TopicMatch> matches;
  for (const config::Trigger& trigger : running->config->triggers) {
    management::TopicMatch match;
    match.trigger = trigger.name;
    match.when = trigger.content.when;
    match.pacing = pacing_rules(trigger);
    if (trigger.deduplicate) match.once_by = to_string(*trigger.deduplicate);
    for (const config::Topic& wanted : trigger.topics) {
      if (match.filter.empty() && config::matches(wanted.filter, topic)) {
        match.filter = wanted.filter;
      }
    }
    if (match.filter.empty()) {
      std::vector<std::string> filters;
      for (const config::Topic& wanted : trigger.topics) filters.push_back(wanted.filter);
      match.because = fmt::format("no filter matches: {}", fmt::join(filters, ", "));
    } else {
      const management::TriggerStatus status = control::status_of(*running, trigger, {});
      match.gets_it = status.running;
      if (!status.running) match.because = "it is not running: " + status.not_running_reason;
    }
    matches.push_back(std::move(match));
  }
  return matches;
}

// ---- Plugins, packages, certificates, inbox ----

std::vector<management::PluginStatus> Status::plugins() const {
  return needs_.plugin_board.plugins();
}

std::vector<management::PackageStatus> Status::packages() const {
  const auto running = needs_.registry.now();
  const config::Config& all = *running->config;
  std::vector<management::PackageStatus> statuses;
  for (const config::Package& package : all.packages) {
    management::PackageStatus status;
    status.name = package.name;
    status.version = package.version;
    status.description = package.description;
    status.folder = package.folder.string();
    status.enabled = package.enabled;
    for (const config::Requirement& requirement : package.requirements) {
      status.requirements.push_back(requirement.name);
    }
    for (const config::Alias& alias : all.aliases) {
      if (alias.package == package.name) status.aliases.push_back(alias.name);
    }
    for (const config::Trigger& trigger : all.triggers) {
      if (trigger.package == package.name) status.triggers.push_back(trigger.name);
    }
    status.problems = running->failures.problems_of(package);
    statuses.push_back(std::move(status));
  }
  return statuses;
}

std::vector<management::StoreStatus> Status::stores() const {
  const ConfigPtr all = needs_.registry.config();
  inventory_.keep_only(*all);
  const Wall now = needs_.clock.wall();
  std::vector<management::StoreStatus> statuses;
  const auto add = [&](management::StoreStatus::Kind kind, const auto& section, std::string file,
                       std::string config::Alias::*used) {
    management::StoreStatus status;
    status.kind = kind;
    const config::Package* package = all->package_at(section.place);
    status.definition =
        definition_of(*all, section.name, package == nullptr ? "" : package->name, section.place);
    status.file = std::move(file);
    for (const config::Alias& alias : all->aliases) {
      if (alias.*used == section.name) status.aliases.push_back(alias.name);
    }
    const mqtt::tls::Listed listed = inventory_.of(section);
    status.problem = listed.problem;
    for (const mqtt::tls::ListedCertificate& one : listed.certificates) {
      status.certificates.push_back({one.key_alias, one.subject, one.issuer, one.validity.from,
                                     one.validity.to, shown_age(one.validity, now)});
    }
    statuses.push_back(std::move(status));
  };
  for (const config::Truststore& section : all->truststores) {
    add(management::StoreStatus::Kind::truststore, section,
        section.system ? "system" : section.file.string(), &config::Alias::truststore);
  }
  for (const config::Keystore& section : all->keystores) {
    add(management::StoreStatus::Kind::keystore, section,
        (section.file.empty() ? section.certificate : section.file).string(),
        &config::Alias::keystore);
  }
  return statuses;
}

management::InboxStatus Status::inbox_status() const {
  management::InboxStatus status;
  const inbox::Figures figures = figures_.now();
  for (const auto& [name, of] : figures.triggers) {
    status.messages += of.messages;
    status.dead_letters += of.dead_letters;
    if (of.oldest && (!status.oldest || *of.oldest < *status.oldest)) status.oldest = of.oldest;
  }
  status.bytes = figures.bytes;
  status.max_bytes = needs_.writer.limit();
  status.trouble = needs_.inbox_health.trouble().value_or("");
  status.commit = needs_.writer.commit_times();
  status.batch = needs_.writer.batch_sizes();
  const inbox::Writer::Stats stats = needs_.writer.stats();
  status.written = stats.messages;
  status.finished_before = stats.finished;
  const auto running = needs_.registry.now();
  for (const TriggerPtr& trigger : running->triggers) status.acks_held += trigger->acks_held();
  status.leaked_generations = needs_.plugins.leaked();
  return status;
}

}  // namespace triggerd::control
