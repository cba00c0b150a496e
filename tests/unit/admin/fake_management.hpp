// FakeManagement: a runtime that says what the test has put there, and remembers what it was
// told to do.
#pragma once

#include <atomic>
#include <deque>
#include <functional>
#include <list>
#include <string>
#include <vector>

#include "base/mutex.hpp"
#include "management/dead_letters.hpp"
#include "management/definitions.hpp"
#include "management/events.hpp"
#include "management/management.hpp"
#include "management/outboxes.hpp"
#include "management/plugins.hpp"
#include "management/states.hpp"
#include "management/status.hpp"
#include "management/test_runs.hpp"

namespace triggerd::test {

// The events that a test offers; shared by all subscriptions.
class FakeEvents {
  struct Queue {
    management::EventFilter filter;
    std::deque<management::AdminEvent> events;
  };

 public:
  void offer(management::AdminEvent event) {
    const MutexLock lock(mutex_);
    event.number = ++last_;
    if (event.when == Wall{}) event.when = Wall{Millis(1'764'037'357'123)};
    for (auto& [filter, queue] : queues_) {
      const bool is_message = event.kind == "message" || event.kind == "dead_letter";
      if (is_message ? filter.messages : filter.states) queue.push_back(event);
    }
    changed_.notify_all();
  }
  std::size_t subscriptions() const {
    const MutexLock lock(mutex_);
    return queues_.size();
  }
  // Nobody has taken them yet.
  std::size_t waiting() const {
    const MutexLock lock(mutex_);
    std::size_t count = 0;
    for (const Queue& queue : queues_) count += queue.events.size();
    return count;
  }
  std::atomic<std::uint64_t> dropped{0};

  std::unique_ptr<management::Subscription> subscribe(const management::EventFilter& filter) {
    const MutexLock lock(mutex_);
    queues_.push_back({filter, {}});
    return std::make_unique<Listener>(*this, &queues_.back());
  }

 private:
  class Listener final : public management::Subscription {
   public:
    Listener(FakeEvents& events, const Queue* queue) : events_(events), queue_(queue) {}
    ~Listener() override {
      const MutexLock lock(events_.mutex_);
      for (auto at = events_.queues_.begin(); at != events_.queues_.end(); ++at) {
        if (&*at == queue_) {
          events_.queues_.erase(at);
          return;
        }
      }
    }
    std::optional<management::AdminEvent> next(Monotonic deadline) override {
      const MutexLock lock(events_.mutex_);
      auto& queue = const_cast<Queue*>(queue_)->events;
      while (queue.empty()) {
        if (std::chrono::steady_clock::now() >= deadline) return std::nullopt;
        events_.changed_.wait_until(events_.mutex_, deadline);
      }
      management::AdminEvent event = std::move(queue.front());
      queue.pop_front();
      return event;
    }
    std::uint64_t dropped() const override { return events_.dropped; }
    bool ended() const override { return false; }

   private:
    FakeEvents& events_;
    const Queue* queue_;
  };

  mutable Mutex mutex_;
  CondVar changed_;
  std::uint64_t last_ TRIGGERD_GUARDED_BY(mutex_) = 0;
  std::list<Queue> queues_ TRIGGERD_GUARDED_BY(mutex_);
};

// Set it up before others use it; what it remembers may be read at any time.
class FakeManagement final : public management::StatusReader,
                             public management::StateControl,
                             public management::DefinitionControl,
                             public management::TestRuns,
                             public management::PluginControl,
                             public management::DeadLetterControl,
                             public management::OutboxControl,
                             public management::EventSource {
 public:
  management::Management management() {
    return {.status = *this,
            .states = *this,
            .definitions = *this,
            .test_runs = *this,
            .plugins = *this,
            .dead_letters = *this,
            .outboxes = *this,
            .events = *this};
  }

  FakeManagement() {
    const Wall then{Millis(1'764'037'357'123)};
    status.name = "edge-1";
    status.version = "0.1.0";
    status.started = then;
    status.process_id = 4711;
    status.ready = true;
    status.config_file = "/etc/triggerd/triggers.toml";

    management::AliasStatus alias;
    alias.definition = {"plant",
                        "",
                        "triggers.toml",
                        12,
                        management::Definition::Origin::file,
                        R"({"host":"tcp://localhost:1883","user_name":"edge"})",
                        "host = \"tcp://localhost:1883\"\n",
                        {"password"}};
    alias.servers = {"tcp://localhost:1883"};
    alias.client_id = "edge-1";
    alias.protocol = "3.1.1";
    alias.up = true;
    alias.certificate_ends = then + std::chrono::hours(24);
    alias.published_ok = 12;
    alias.published_failed = 2;
    alias.outbox = management::OutboxStatus{.messages = 51,
                                            .bytes = 52,
                                            .max_bytes = 53,
                                            .in_flight = 54,
                                            .oldest = then,
                                            .sent = 55,
                                            .refused = 56,
                                            .dropped = 57,
                                            .expired = 58,
                                            .cleared = 59};
    alias.connections = {
        {"edge-1", "", "up", true, "", then, "tcp://localhost:1883", 1, 0},
        {"edge-1.see-all", "see-all", "waiting", false, "Connection refused", then, "", 3, 2}};
    alias_list.push_back(alias);

    management::TriggerStatus trigger;
    trigger.definition = {"see-all",
                          "",
                          "triggers.toml",
                          20,
                          management::Definition::Origin::file,
                          R"({"alias":"plant","topics":["plant/#"],"service":"log"})",
                          "alias = \"plant\"\n",
                          {}};
    trigger.alias = "plant";
    trigger.service = "log:log";
    trigger.state = management::TriggerStatus::State::suspended;
    trigger.state_by = "the runtime";
    trigger.state_reason = "the service asked to retry 5 times";
    trigger.state_since = then;
    trigger.filters = {{"plant/#", 1, 1, ""}, {"other/#", 2, std::nullopt, "not authorized"}};
    trigger.counters.received = 6;
    trigger.counters.received_qos[0] = 1;
    trigger.counters.received_qos[1] = 2;
    trigger.counters.received_qos[2] = 3;
    trigger.counters.ok = 4;
    trigger.counters.retried = 5;
    trigger.counters.rejected = 6;
    trigger.counters.timed_out = 7;
    trigger.counters.invalid_verdicts = 8;
    trigger.counters.expired = 9;
    trigger.counters.discarded = 10;
    trigger.counters.exhausted = 41;
    trigger.counters.duplicates = 42;
    trigger.counters.without_key = 43;
    trigger.counters.keys_forgotten = 44;
    trigger.keys = 45;
    trigger.queued = 11;
    trigger.in_flight = 12;
    trigger.delayed = 13;
    trigger.pacing = {.rules = {.max_rate = "100/s", .delay = "5s"},
                      .waiting_for_delay = 42,
                      .rate_holds = true,
                      .rate_held_seconds = 2.5};
    trigger.inbox_messages = 14;
    trigger.inbox_oldest = then;
    trigger.dead_letters = 15;
    trigger.paused_seconds = 1.5;
    Histogram times;
    times.add(400'000);
    times.add(2'000'000);
    Histogram batches;
    batches.add(3);
    trigger.batch = batches.snapshot(1);
    trigger.handle = times.snapshot(1e9);
    trigger.delivery = times.snapshot(1e9);
    trigger_list.push_back(trigger);

    management::PluginStatus plugin;
    plugin.name = "log";
    plugin.version = "0.1.0";
    plugin.generation = 2;
    plugin.sha256 = std::string(64, 'a');
    plugin.file = "/plugins/log.so";
    plugin.in_service_since = then;
    plugin.services = {"log"};
    plugin.triggers = {"see-all"};
    plugin.reloads = 1;
    plugin.metrics = {{"see-all", "log_lines_total", "Lines that were written.", true, 17}};
    plugin_list.push_back(plugin);

    management::PackageStatus package;
    package.name = "boilers";
    package.version = "1.4.0";
    package.folder = "packages/boilers";
    package.requirements = {"thermometry"};
    package.problems = {"requires thermometry, which is not installed"};
    package_list.push_back(package);

    inbox.messages = 14;
    inbox.bytes = 4096;
    inbox.max_bytes = 1 << 30;
    inbox.oldest = then;
    inbox.dead_letters = 15;
    inbox.commit = times.snapshot(1e9);
    inbox.acks_held = 3;

    letter.number = 17;
    letter.message_id = "01JDJ0V7N9";
    letter.trigger = "see-all";
    letter.topic = "plant/boiler/temperature";
    letter.payload = "hot";
    letter.payload_size = 3;
    letter.qos = 1;
    letter.reason = "the payload is no number";
    letter.attempts = 1;
    letter.received = then;
    letter.died = then;
    letter.user_properties = {{"unit", "celsius"}};
  }

  // Every verb fails with this, where there is one.
  std::optional<management::AdminError> error;
  // Called by publish(), before it returns.
  std::function<void()> while_publishing;
  // The same of a list of dead letters.
  std::function<void()> while_reading_dead_letters;
  // What replaying or dropping many of them does; empty: as much as the examples say.
  std::function<management::DeadLettersDone(const Progress&)> while_replaying;
  management::RuntimeStatus status;
  std::vector<management::AliasStatus> alias_list;
  std::vector<management::TriggerStatus> trigger_list;
  std::vector<management::PluginStatus> plugin_list;
  std::vector<management::PackageStatus> package_list;
  management::InboxStatus inbox;
  management::DeadLetterView letter;
  FakeEvents events;

  std::vector<std::string> calls() const {
    const MutexLock lock(mutex_);
    return calls_;
  }

  management::RuntimeStatus runtime() const override { return status; }
  std::vector<management::AliasStatus> aliases() const override { return alias_list; }
  management::Outcome<management::AliasStatus> alias(std::string_view name) const override {
    for (const auto& alias : alias_list) {
      if (alias.definition.name == name) return alias;
    }
    return missing("alias", name);
  }
  std::vector<management::TriggerStatus> triggers() const override { return trigger_list; }
  management::Outcome<management::TriggerStatus> trigger(std::string_view name) const override {
    for (const auto& trigger : trigger_list) {
      if (trigger.definition.name == name) return trigger;
    }
    return missing("trigger", name);
  }
  std::vector<management::PluginStatus> plugins() const override { return plugin_list; }
  std::vector<management::PackageStatus> packages() const override { return package_list; }
  std::vector<management::StoreStatus> stores() const override {
    const Wall then{Millis(1'764'037'357'123)};
    management::StoreStatus trusted;
    trusted.definition = {"plant-ca", "", "triggers.toml", 3, {}, {}, {}, {}};
    trusted.file = "certs/ca.pem";
    trusted.problem = "it is gone";
    management::StoreStatus own;
    own.kind = management::StoreStatus::Kind::keystore;
    own.definition = {"edge", "boilers", "", 0, management::Definition::Origin::package,
                      {},     {},        {}};
    own.file = "certs/edge.p12";
    own.aliases = {"plant"};
    own.certificates = {{"edge-1", "CN=edge-1", "CN=ca", then, then + std::chrono::hours(24),
                         management::CertificateStatus::Age::ends_soon},
                        {"", "CN=ca", "CN=ca", then, then + std::chrono::hours(9999),
                         management::CertificateStatus::Age::good}};
    return {trusted, own};
  }
  management::InboxStatus inbox_status() const override { return inbox; }
  std::vector<management::TopicMatch> match(std::string_view) const override {
    return {{"alarms", false, "", "no filter matches"}, {"see-all", true, "plant/#", ""}};
  }

  management::Outcome<> enable_trigger(std::string_view name,
                                       const management::Actor& by) override {
    return did("enable_trigger", name, by);
  }
  management::Outcome<> disable_trigger(std::string_view name, const management::Actor& by,
                                        const std::string& reason) override {
    return did("disable_trigger", name, by + ": " + reason);
  }
  management::Outcome<> suspend_trigger(std::string_view name, const management::Actor& by,
                                        const std::string& reason) override {
    return did("suspend_trigger", name, by + ": " + reason);
  }
  management::Outcome<> resume_trigger(std::string_view name,
                                       const management::Actor& by) override {
    return did("resume_trigger", name, by);
  }
  management::Outcome<> enable_alias(std::string_view name, const management::Actor& by) override {
    return did("enable_alias", name, by);
  }
  management::Outcome<> disable_alias(std::string_view name, const management::Actor& by,
                                      const std::string& reason) override {
    return did("disable_alias", name, by + ": " + reason);
  }
  management::Outcome<management::ReloadReport> change_definition(
      const management::DefinitionChange& change, const management::Actor&) override {
    return reported(change.check_only ? "check" : "define", change.name, change.text.text);
  }
  management::Outcome<management::ReloadReport> reload(const management::Actor& by) override {
    return reported("reload", "", by);
  }
  management::Outcome<management::AliasTest> test_alias(std::string_view name, Millis) override {
    if (auto failed = did("test_alias", name, ""); !failed) return unexpected(failed.error());
    return management::AliasTest{false, "Connection refused", "tcp://localhost:1883", 0.004};
  }
  management::Outcome<management::AliasTest> test_alias(const std::string& name,
                                                        const management::DefinitionText& text,
                                                        Millis) override {
    if (auto failed = did("test_alias", name, text.text); !failed) {
      return unexpected(failed.error());
    }
    return management::AliasTest{true, "", "tcp://localhost:1883", 0.004};
  }
  management::Outcome<management::TriggerTest> test_trigger(
      std::string_view name, const management::TriggerTestMessage& message, Millis) override {
    if (auto failed = did("test_trigger", name, message.payload); !failed) {
      return unexpected(failed.error());
    }
    return management::TriggerTest{"retry",
                                   "busy",
                                   1500,
                                   0.01,
                                   {{"warn", "over 80"}},
                                   {{"plant", "plant/alarm", std::string("\xff\x00", 2), 1, true}}};
  }
  management::Outcome<> publish(const management::PublishMessage& message, Millis) override {
    if (while_publishing) while_publishing();
    return did("publish", message.alias,
               message.topic + "=" + message.payload + "/" + std::to_string(message.qos));
  }
  management::Outcome<management::PluginReload> reload_plugin(
      const std::string& plugin, const management::PluginReloadOptions& how,
      const management::Actor&) override {
    const std::string detail =
        std::string(how.force ? "force" : "") + (how.drop_state ? "drop_state" : "");
    if (auto failed = did("reload_plugin", plugin, detail); !failed) {
      return unexpected(failed.error());
    }
    return management::PluginReload{true, 3, "0.2.0", 0.003};
  }
  management::Outcome<management::ReloadReport> enable_package(std::string_view name,
                                                               const management::Actor&) override {
    return reported("enable_package", name, "");
  }
  management::Outcome<management::ReloadReport> disable_package(std::string_view name,
                                                                const management::Actor&) override {
    return reported("disable_package", name, "");
  }
  management::Outcome<management::ReloadReport> install_package(
      const std::string& archive, const std::vector<std::string>& values, bool,
      const management::Actor&) override {
    return reported("install_package", archive, std::to_string(values.size()));
  }
  management::Outcome<management::ReloadReport> remove_package(std::string_view name,
                                                               const management::Actor&) override {
    return reported("remove_package", name, "");
  }
  management::Outcome<management::DeadLetterPage> dead_letters(const management::DeadLetterFilter&,
                                                               std::optional<std::int64_t>,
                                                               std::size_t limit,
                                                               std::size_t bytes) const override {
    if (while_reading_dead_letters) while_reading_dead_letters();
    if (error) return unexpected(*error);
    remember("dead_letters", std::to_string(limit), std::to_string(bytes));
    return management::DeadLetterPage{{letter}, 17, 41};
  }
  management::Outcome<management::DeadLetterView> dead_letter(std::int64_t number) const override {
    if (error) return unexpected(*error);
    if (number != letter.number) return missing("dead letter", std::to_string(number));
    return letter;
  }
  management::Outcome<> replay_dead_letter(std::int64_t number, const management::Actor&) override {
    return did("replay", std::to_string(number), "");
  }
  management::Outcome<management::DeadLettersDone> replay_dead_letters(
      const management::DeadLetterFilter& filter, const management::Actor&,
      const Progress& progress) override {
    if (auto failed = did("replay_all", filter.trigger, ""); !failed) {
      return unexpected(failed.error());
    }
    if (while_replaying) return while_replaying(progress);
    progress(3, 10);
    return management::DeadLettersDone{2, 1, "there is no trigger \"gone\""};
  }
  management::Outcome<> edit_dead_letter(std::int64_t number,
                                         const std::optional<std::string>& topic,
                                         const std::optional<std::string>& payload,
                                         const management::Actor&) override {
    return did("edit", std::to_string(number), topic.value_or("-") + "=" + payload.value_or("-"));
  }
  management::Outcome<> drop_dead_letter(std::int64_t number, const management::Actor&) override {
    return did("drop", std::to_string(number), "");
  }
  management::Outcome<management::DeadLettersDone> drop_dead_letters(
      const management::DeadLetterFilter& filter, const management::Actor& by,
      const Progress& progress) override {
    return replay_dead_letters(filter, by, progress);
  }
  management::Outcome<std::vector<management::KeptMessage>> kept_messages(
      std::string_view alias, std::size_t limit, std::size_t payload_bytes) const override {
    if (error) return unexpected(*error);
    remember("kept", alias, std::to_string(limit) + " " + std::to_string(payload_bytes));
    return std::vector<management::KeptMessage>{
        {.topic = "up", .payload = "8", .payload_size = 2, .published = status.started}};
  }
  management::Outcome<std::uint64_t> clear_outbox(std::string_view alias,
                                                  const management::Actor&) override {
    if (auto failed = did("clear_outbox", alias, ""); !failed) return unexpected(failed.error());
    return 12;
  }
  std::unique_ptr<management::Subscription> subscribe(const management::EventFilter& filter,
                                                      std::size_t) override {
    return events.subscribe(filter);
  }

 private:
  static tl::unexpected<management::AdminError> unexpected(management::AdminError error) {
    return tl::make_unexpected(std::move(error));
  }
  static tl::unexpected<management::AdminError> missing(const std::string& what,
                                                        std::string_view name) {
    return unexpected({management::AdminError::Kind::not_found,
                       "there is no " + what + " \"" + std::string(name) + "\""});
  }
  void remember(const char* verb, std::string_view what, std::string_view more) const {
    const MutexLock lock(mutex_);
    calls_.push_back(std::string(verb) + " " + std::string(what) + " " + std::string(more));
  }
  management::Outcome<> did(const char* verb, std::string_view what, std::string_view more) {
    remember(verb, what, more);
    if (error) return unexpected(*error);
    return {};
  }
  management::Outcome<management::ReloadReport> reported(const char* verb, std::string_view what,
                                                         std::string_view more) {
    if (auto failed = did(verb, what, more); !failed) return unexpected(failed.error());
    management::ReloadReport report;
    report.changed = {"trigger see-all"};
    return report;
  }

  mutable Mutex mutex_;
  mutable std::vector<std::string> calls_ TRIGGERD_GUARDED_BY(mutex_);
};

}  // namespace triggerd::test
