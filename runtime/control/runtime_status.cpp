// Runtime: what Administration shows.
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>

#include "config/secrets.hpp"
#include "config/topic_filter.hpp"
#include "config/tree.hpp"
#include "config/write_tree.hpp"
#include "control/alias_connection.hpp"
#include "control/runtime.hpp"

namespace triggerd::control {
namespace {

// A thread that has not come round for so long is stuck.
constexpr auto kStuck = std::chrono::seconds(15);
// Figures of the inbox are counted anew each time as long as that is quick; else they are kept for
// some times as long as counting took, but never for longer than the last of these.
constexpr Millis kCheapCount{20};
constexpr int kRestAfterCount = 10;
constexpr Millis kOldestCount{2'000};

management::AdminError not_found(std::string_view what, std::string_view name,
                                 const std::vector<std::string>& there) {
  return {management::AdminError::Kind::not_found,
          fmt::format("there is no {} \"{}\"; there {} {}", what, name,
                      there.size() == 1 ? "is" : "are",
                      there.empty() ? "none" : fmt::format("{}", fmt::join(there, ", "))),
          {}};
}

template <class T>
std::vector<std::string> names_of(const std::vector<T>& items) {
  std::vector<std::string> names;
  names.reserve(items.size());
  for (const T& item : items) names.push_back(item.name);
  return names;
}

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

bool is_stuck(const std::atomic<std::int64_t>& beat) {
  const Monotonic last{Monotonic::duration(beat.load())};
  return std::chrono::steady_clock::now() - last > kStuck;
}

// As it was written. Lists are asked for often, and do without.
void add_text(management::Definition& definition, const config::Node* written) {
  if (written == nullptr) return;
  config::Shown shown = config::without_secrets(*written);
  definition.json = config::to_json(shown.table);
  definition.toml = config::to_toml(shown.table);
  definition.secrets = std::move(shown.secrets);
}

}  // namespace

struct Runtime::InboxFigures {
  inbox::Figures figures;
};

// An inbox with a million rows takes a while to count, so that is not done for each who asks, and
// whoever asks meanwhile gets the figures of before.
Runtime::InboxFigures Runtime::inbox_figures() const {
  const auto now = [] { return std::chrono::steady_clock::now(); };
  const Monotonic began = now();
  {
    MutexLock lock(figures_mutex_);
    while (counting_ && !figures_) counted_.wait(figures_mutex_);
    if (figures_ && (counting_ || began < figures_until_)) return *figures_;
    counting_ = true;
  }
  auto read = inbox_->figures();
  MutexLock lock(figures_mutex_);
  counting_ = false;
  counted_.notify_all();
  if (!read) return figures_ ? *figures_ : InboxFigures();
  figures_ = std::make_shared<const InboxFigures>(InboxFigures{*std::move(read)});
  const auto took = now() - began;
  figures_until_ = took < kCheapCount ? Monotonic()
                                      : now() + std::min<Monotonic::duration>(
                                                    took * kRestAfterCount, kOldestCount);
  return *figures_;
}

management::RuntimeStatus Runtime::runtime() const {
  const ConfigPtr all = config();
  management::RuntimeStatus status;
  status.name = all->runtime.name;
  status.version = options_.version;
  status.started = started_at_;
  status.process_id = ::getpid();
  status.manage = all->admin.manage;
  status.config_file = options_.config_file.string();
  {
    MutexLock lock(reload_mutex_);
    status.reloaded = reloaded_;
    status.last_reload_failure = reload_failure_;
    status.needs_restart = needs_restart_;
  }
  if (stopping_) status.not_ready.emplace_back("the runtime stops");
  for (const config::Package& package : all->packages) {
    if (package.enabled && (!package.problems.empty() || package_is_broken(package.name))) {
      status.not_ready.push_back(fmt::format("package \"{}\" is broken", package.name));
    }
  }
  for (const AliasPtr& alias : all_aliases()) {
    if (alias->up()) continue;
    const management::ConnectionView view = alias->view();
    status.not_ready.push_back(fmt::format("alias \"{}\" is not connected: {}", alias->name(),
                                           view.reason.empty() ? view.state : view.reason));
  }
  for (const TriggerPtr& trigger : all_triggers()) {
    if (trigger->running()) continue;
    management::TriggerStatus of;
    trigger->fill_in(of);
    status.not_ready.push_back(
        fmt::format("trigger \"{}\" is not running: {}", trigger->name(), of.not_running_reason));
  }
  {
    MutexLock lock(members_mutex_);
    for (const auto& [name, why] : not_made_) {
      status.not_ready.push_back(fmt::format("trigger \"{}\" is not running: {}", name, why));
    }
  }
  {
    // Not a fault of the process: a full disk is over when there is room, and another start would
    // find it as full.
    MutexLock lock(trouble_mutex_);
    if (inbox_trouble_) {
      status.not_ready.push_back("the inbox takes no messages: " + *inbox_trouble_);
    }
  }
  status.ready = status.not_ready.empty();
  if (is_stuck(supervisor_beat_)) {
    status.not_healthy.emplace_back("the supervisor thread is stuck: no connection is served");
  }
  if (is_stuck(timer_beat_)) {
    status.not_healthy.emplace_back("the timer thread is stuck: no retry and no deadline comes");
  }
  if (const auto stuck = stuck_receiver()) status.not_healthy.push_back(*stuck);
  status.healthy = status.not_healthy.empty();
  return status;
}

// The thread that receives, in a call of a service that is said to be brief: nobody else can do its
// work meanwhile.
std::optional<std::string> Runtime::stuck_receiver() const {
  const Monotonic now = std::chrono::steady_clock::now();
  for (const TriggerPtr& trigger : all_triggers()) {
    const auto since = trigger->keeps_receiver_since();
    if (!since || now - *since <= kStuck) continue;
    return fmt::format("the thread that receives is stuck in the service of trigger \"{}\"",
                       trigger->name());
  }
  return std::nullopt;
}

bool Runtime::package_is_broken(const std::string& name) const {
  MutexLock lock(members_mutex_);
  return package_failures_.contains(name);
}

management::Definition Runtime::definition_of(const std::string& name, const std::string& package,
                                              const config::Place& place) const {
  management::Definition definition;
  definition.name = name;
  definition.package = package;
  definition.file = place.file;
  definition.line = place.line;
  const bool managed =
      std::filesystem::path(place.file) == config()->runtime.state_dir / config::kManagedFile;
  definition.origin = !package.empty() ? management::Definition::Origin::package
                      : managed        ? management::Definition::Origin::managed
                                       : management::Definition::Origin::file;
  return definition;
}

// ---- Aliases ----

management::AliasStatus Runtime::status_of(const config::Alias& alias) const {
  management::AliasStatus status;
  status.definition = definition_of(alias.name, alias.package, alias.place);
  status.enabled = alias.enabled;
  status.description = alias.description;
  for (const config::Server& server : alias.servers) {
    status.servers.push_back(config::to_string(server));
  }
  status.client_id = alias.client_id;
  status.protocol = alias.protocol == config::Protocol::v5 ? "5" : "3.1.1";
  if (!alias.enabled) {
    status.disabled_by = "the configuration";
    const ConfigPtr all = config();
    const config::Package* package = all->find_package(alias.package);
    if (package != nullptr && !package->enabled) status.disabled_by = "its package";
    MutexLock lock(members_mutex_);
    if (const auto state = alias_states_.find(alias.name); state != alias_states_.end()) {
      status.disabled_by = state->second.changed_by;
      status.disabled_reason = state->second.reason;
      status.disabled_since = state->second.since;
    }
  }
  if (const AliasPtr running = running_alias(alias.name)) {
    status.up = running->up();
    status.connections.push_back(running->view());
    status.client_id = status.connections.front().client_id;
    status.certificate_ends = running->connection()->certificate_ends();
  }
  for (const TriggerPtr& trigger : all_triggers()) {
    if (trigger->config().alias == alias.name) {
      status.connections.push_back(trigger->connection_view());
    }
  }
  const trigger::Publisher::Counts counts = publisher_.counts(alias.name);
  status.published_ok = counts.ok;
  status.published_failed = counts.failed;
  return status;
}

std::vector<management::AliasStatus> Runtime::aliases() const {
  const ConfigPtr all = config();
  std::vector<management::AliasStatus> statuses;
  for (const config::Alias& alias : all->aliases) statuses.push_back(status_of(alias));
  return statuses;
}

management::Outcome<management::AliasStatus> Runtime::alias(std::string_view name) const {
  const ConfigPtr all = config();
  if (const config::Alias* found = all->find_alias(name)) {
    management::AliasStatus status = status_of(*found);
    add_text(status.definition, found->written.get());
    return status;
  }
  return tl::make_unexpected(not_found("alias", name, names_of(all->aliases)));
}

// ---- Triggers ----

management::TriggerStatus Runtime::status_of(const config::Config& all,
                                             const config::Trigger& trigger,
                                             const InboxFigures& inbox) const {
  management::TriggerStatus status;
  status.definition = definition_of(trigger.name, trigger.package, trigger.place);
  status.alias = trigger.alias;
  status.service =
      trigger.service.empty() ? trigger.plugin : trigger.plugin + ":" + trigger.service;
  status.description = trigger.description;
  if (const auto found = inbox.figures.triggers.find(trigger.name);
      found != inbox.figures.triggers.end()) {
    status.inbox_messages = found->second.messages;
    status.inbox_oldest = found->second.oldest;
    status.dead_letters = found->second.dead_letters;
  }
  if (const TriggerPtr running = running_trigger(trigger.name)) {
    running->fill_in(status);
    return status;
  }
  if (!trigger.enabled) {
    status.state = management::TriggerStatus::State::disabled;
    status.state_by = is_of_disabled_package(all, trigger) ? "its package" : "the configuration";
    status.not_running_reason = "disabled by " + status.state_by;
    return status;
  }
  const config::Alias* alias = all.find_alias(trigger.alias);
  MutexLock lock(members_mutex_);
  const auto why = not_made_.find(trigger.name);
  status.not_running_reason = alias != nullptr && !alias->enabled ? "its alias is disabled"
                              : why != not_made_.end()            ? why->second
                                                                  : "it is being changed";
  return status;
}

std::vector<management::TriggerStatus> Runtime::triggers() const {
  const ConfigPtr all = config();
  const InboxFigures figures = inbox_figures();
  std::vector<management::TriggerStatus> statuses;
  for (const config::Trigger& trigger : all->triggers) {
    statuses.push_back(status_of(*all, trigger, figures));
  }
  return statuses;
}

management::Outcome<management::TriggerStatus> Runtime::trigger(std::string_view name) const {
  const ConfigPtr all = config();
  if (const config::Trigger* found = all->find_trigger(name)) {
    management::TriggerStatus status = status_of(*all, *found, inbox_figures());
    add_text(status.definition, found->written.get());
    return status;
  }
  return tl::make_unexpected(not_found("trigger", name, names_of(all->triggers)));
}

std::vector<management::TopicMatch> Runtime::match(std::string_view topic) const {
  const ConfigPtr all = config();
  std::vector<management::TopicMatch> matches;
  for (const config::Trigger& trigger : all->triggers) {
    management::TopicMatch match;
    match.trigger = trigger.name;
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
      const management::TriggerStatus status = status_of(*all, trigger, {});
      match.gets_it = status.running;
      if (!status.running) match.because = "it does not run: " + status.not_running_reason;
    }
    matches.push_back(std::move(match));
  }
  return matches;
}

// ---- Plugins, packages, inbox ----

// [control]
void Runtime::note_plugins() {
  std::vector<management::PluginStatus> statuses;
  for (const std::string& name : plugins_.names()) {
    const auto generation = plugins_.in_service(name);
    if (!generation) continue;
    generation->is_in_service();
    auto& [number, since] = in_service_[name];
    if (number != generation->number()) {
      number = generation->number();
      since = system_clock().wall();
    }
    management::PluginStatus status;
    status.name = name;
    status.version = generation->version();
    status.generation = generation->number();
    status.sha256 = generation->sha256();
    status.file = generation->file().string();
    status.in_service_since = since;
    status.services = generation->service_names();
    status.on_probation = reloader_.on_probation(name);
    for (const TriggerPtr& trigger : triggers_) {
      if (trigger->uses(*generation)) status.triggers.push_back(trigger->name());
    }
    statuses.push_back(std::move(status));
  }
  MutexLock lock(plugins_mutex_);
  plugin_status_ = std::move(statuses);
}

std::vector<management::PluginStatus> Runtime::plugins() const {
  std::vector<management::PluginStatus> statuses;
  {
    MutexLock lock(plugins_mutex_);
    statuses = plugin_status_;
  }
  const auto counts = reloader_.counts();
  for (management::PluginStatus& status : statuses) {
    if (const auto of = counts.find(status.name); of != counts.end()) {
      const auto seconds = [](std::chrono::microseconds pause) {
        return std::chrono::duration<double>(pause).count();
      };
      status.reloads = of->second.reloaded;
      status.reloads_failed = of->second.failed;
      status.rolled_back = of->second.rolled_back;
      status.last_pause_seconds = seconds(of->second.last_pause);
      status.longest_pause_seconds = seconds(of->second.longest_pause);
    }
    for (const std::string& name : status.triggers) {
      const TriggerPtr trigger = running_trigger(name);
      if (!trigger) continue;
      for (plugin::Metric& metric : trigger->metrics()) {
        status.metrics.push_back({.trigger = name,
                                  .name = std::move(metric.name),
                                  .help = std::move(metric.help),
                                  .counter = metric.kind == TRIGGER_METRIC_COUNTER,
                                  .value = metric.value});
      }
    }
  }
  return statuses;
}

std::vector<management::PackageStatus> Runtime::packages() const {
  const ConfigPtr all = config();
  std::vector<management::PackageStatus> statuses;
  for (const config::Package& package : all->packages) {
    management::PackageStatus status;
    status.name = package.name;
    status.version = package.version;
    status.description = package.description;
    status.folder = package.folder.string();
    status.enabled = package.enabled;
    for (const config::Requirement& requirement : package.requirements) {
      status.requirements.push_back(requirement.name);
    }
    for (const config::Alias& alias : all->aliases) {
      if (alias.package == package.name) status.aliases.push_back(alias.name);
    }
    for (const config::Trigger& trigger : all->triggers) {
      if (trigger.package == package.name) status.triggers.push_back(trigger.name);
    }
    {
      MutexLock lock(members_mutex_);
      status.problems = package_failures_.problems_of(package);
    }
    statuses.push_back(std::move(status));
  }
  return statuses;
}

std::vector<management::StoreStatus> Runtime::stores() const {
  const ConfigPtr all = config();
  inventory_.keep_only(*all);
  const Wall now = system_clock().wall();
  std::vector<management::StoreStatus> statuses;
  const auto add = [&](management::StoreStatus::Kind kind, const auto& section, std::string file,
                       std::string config::Alias::*used) {
    management::StoreStatus status;
    status.kind = kind;
    const config::Package* package = all->package_at(section.place);
    status.definition =
        definition_of(section.name, package == nullptr ? "" : package->name, section.place);
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

management::InboxStatus Runtime::inbox_status() const {
  management::InboxStatus status;
  const InboxFigures inbox = inbox_figures();
  for (const auto& [name, of] : inbox.figures.triggers) {
    status.messages += of.messages;
    status.dead_letters += of.dead_letters;
    if (of.oldest && (!status.oldest || *of.oldest < *status.oldest)) status.oldest = of.oldest;
  }
  status.bytes = inbox.figures.bytes;
  status.max_bytes = writer_->limit();
  {
    MutexLock lock(trouble_mutex_);
    status.trouble = inbox_trouble_.value_or("");
  }
  status.commit = writer_->commit_times();
  status.batch = writer_->batch_sizes();
  const inbox::Writer::Stats stats = writer_->stats();
  status.written = stats.messages;
  status.finished_before = stats.finished;
  for (const TriggerPtr& trigger : all_triggers()) status.acks_held += trigger->acks_held();
  status.leaked_generations = plugins_.leaked();
  return status;
}

}  // namespace triggerd::control
