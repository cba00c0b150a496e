// The seam between what runs and whoever administers it: HTTP, triggerctl and the console see the
// runtime through this header and nothing else of it.
//
//   - status: snapshots, plain values that are nobody's any more when they are returned
//   - verbs:  what changes something; done when the call returns, or an AdminError
//   - events: what happens, as it happens
//
// Threads: any, and many at once. What a call may wait for is said above it, in one of these words:
//   short      locks that are held for microseconds
//   inbox      reads or writes the inbox: a disk, usually a few milliseconds
//   control    waits its turn behind other changes, each of which may take its drain_timeout
// None waits for an MQTT server unless it says so. A runtime that stops answers with `unavailable`.
//
// No secret is in anything that comes out of here.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.hpp"
#include "base/histogram.hpp"
#include "base/result.hpp"
#include "management/reload_options.hpp"

namespace triggerd::management {

// ---- Errors ----

// One thing that is wrong with a definition or with the configuration.
struct AdminProblem {
  std::string file;  // empty: the definition that was given
  std::uint32_t line = 0;
  std::uint32_t column = 0;
  // Of the definition that was given: its dotted key, elements of arrays counted from 0: "host",
  // "topics.0.filter", "last_will.qos"; empty where no key is to blame.
  std::string key;
  std::string message;
};

struct AdminError {
  enum class Kind {
    invalid,      // what was asked for is wrong; `problems` has the details, where there are some
    not_found,    // there is no such alias, trigger, plugin, package or dead letter
    conflict,     // it is there already, or is in use, or stands in a file that is not ours to edit
    refused,      // not allowed here: [admin] manage = false
    unavailable,  // not now: the runtime stops, the server is not connected
    failed        // it was tried, and did not work
  };
  Kind kind = Kind::failed;
  std::string message;  // what, where, why, what to do
  std::vector<AdminProblem> problems = {};
};
std::string_view to_string(AdminError::Kind kind);

template <class T = void>
using Outcome = tl::expected<T, AdminError>;

// Who does it, for the record: "triggerctl (uid 1000)", "console".
using By = std::string;

// ---- Status ----

struct RuntimeStatus {
  std::string name;
  std::string version;
  Wall started{};
  std::int64_t process_id = 0;
  bool ready = false;                      // as GET /readyz says
  std::vector<std::string> not_ready;      // why not, one line each
  bool healthy = true;                     // as GET /healthz says
  std::vector<std::string> not_healthy;    // why not: stuck threads, an inbox that cannot write
  bool manage = false;                     // [admin] manage: definitions may be changed
  std::vector<std::string> needs_restart;  // changed in the files since the start, and not applied
  std::string config_file;
  std::optional<Wall> reloaded;     // the last reload that was applied
  std::string last_reload_failure;  // why the last one was not; empty: it was, or there was none
};

// What an alias or trigger is, as it was written.
struct Definition {
  std::string name;
  std::string package;  // that carries it; empty: none
  std::string file;     // where it stands
  std::uint32_t line = 0;
  // managed: made by an administrator, can be edited; file, package: read-only.
  enum class Origin { managed, file, package };
  Origin origin = Origin::file;
  // Its keys with their values as they were written, ${NAME} not expanded, as one JSON object and
  // as TOML. Secrets are left out: a replacement that leaves them out too keeps them.
  // Empty in lists, and of stores.
  std::string json;
  std::string toml;
  std::vector<std::string> secrets;  // the keys that were left out
};
std::string_view to_string(Definition::Origin origin);

struct ConnectionView {
  std::string client_id;
  std::string trigger;  // empty: the alias's own, which services publish with
  std::string state;    // "off", "connecting", "subscribing", "up", "waiting"
  bool up = false;      // connected, and every filter granted
  std::string reason;   // why it is not up
  Wall since{};         // in this state
  std::string server;   // the one connected to
  std::uint64_t reconnects = 0;
  std::uint64_t sessions_lost = 0;  // the server had forgotten a session that it was to keep
};

struct AliasStatus {
  Definition definition;
  bool enabled = true;
  std::string disabled_by;  // "the configuration", its package, or an administrator
  std::string disabled_reason;
  std::optional<Wall> disabled_since;
  std::string description;
  std::vector<std::string> servers;
  std::string client_id;
  std::string protocol;                     // "3.1.1", "5"
  bool up = false;                          // its own connection
  std::vector<ConnectionView> connections;  // its own first, then its triggers'
  std::optional<Wall> certificate_ends;     // our own
  std::uint64_t published_ok = 0;
  std::uint64_t published_failed = 0;
};

struct FilterStatus {
  std::string filter;  // as the server knows it, with $share/GROUP/
  int asked_qos = 0;
  std::optional<int> granted_qos;  // nullopt: refused, or not answered yet
  std::string refusal;
};

struct TriggerCounters {
  std::uint64_t received_qos[3] = {0, 0, 0};
  std::uint64_t received = 0;
  std::uint64_t ok = 0;
  // received = ok + rejected + exhausted + discarded + expired + those that are inside.
  std::uint64_t retried = 0;    // attempts that failed and were not the last
  std::uint64_t rejected = 0;   // messages with the verdict reject
  std::uint64_t exhausted = 0;  // messages that became dead letters when they ran out of attempts
  std::uint64_t timed_out = 0;
  std::uint64_t invalid_verdicts = 0;
  std::uint64_t late_answers = 0;
  std::uint64_t unavailable = 0;  // verdicts that are no attempt: what the service needs is away
  std::uint64_t expired = 0;
  std::uint64_t discarded = 0;
  std::uint64_t inline_calls = 0;  // of a brief service, by the thread that had read the message
  std::uint64_t not_brief = 0;     // of these, those that took too long
  std::uint64_t dead_letters_made = 0;  // since the start
  std::uint64_t refused = 0;  // over max_packet_size: acknowledged, and not among those received
};

struct TriggerStatus {
  Definition definition;
  std::string alias;
  std::string service;  // "plugin:service"
  std::string description;

  enum class State { enabled, disabled, suspended };
  State state = State::enabled;
  std::string state_by;  // "the configuration", its package, an administrator, "the runtime"
  std::string state_reason;
  std::optional<Wall> state_since;
  bool running = false;            // connected, every filter granted, enabled
  std::string not_running_reason;  // empty where it runs

  std::vector<FilterStatus> filters;
  TriggerCounters counters;
  std::uint64_t queued = 0;  // wait for a worker
  std::uint64_t in_flight = 0;
  std::uint64_t delayed = 0;  // wait for their retry
  std::uint64_t late = 0;     // attempts past their deadline that have not come back
  std::uint64_t inbox_messages = 0;
  std::optional<Wall> inbox_oldest;
  std::uint64_t dead_letters = 0;

  std::optional<Wall> unavailable_since;  // what its service needs is away: its messages wait
  std::string unavailable_reason;

  bool paused = false;  // receiving pauses
  std::string pause_reason;
  double paused_seconds = 0;  // since the start, all pauses

  HistogramSnapshot handle;    // of one call of the service, handle() to its verdict
  HistogramSnapshot delivery;  // from the socket to the last verdict
  HistogramSnapshot batch;     // messages that came together: the unit is 1, not seconds
};
std::string_view to_string(TriggerStatus::State state);

struct PluginMetric {
  std::string trigger;
  std::string name;
  std::string help;
  bool counter = true;  // else a gauge
  double value = 0;
};

struct PluginStatus {
  std::string name;  // with "PACKAGE/" in front where a package carries it
  std::string version;
  unsigned generation = 0;
  std::string sha256;
  std::string file;
  Wall in_service_since{};
  std::vector<std::string> services;
  std::vector<std::string> triggers;  // that use it
  std::uint64_t reloads = 0;
  std::uint64_t reloads_failed = 0;
  std::uint64_t rolled_back = 0;
  double last_pause_seconds = 0;
  double longest_pause_seconds = 0;
  bool on_probation = false;
  std::vector<PluginMetric> metrics;
};

struct PackageStatus {
  std::string name;
  std::string version;
  std::string description;
  std::string folder;
  bool enabled = true;
  std::vector<std::string> requirements;
  std::vector<std::string> aliases;
  std::vector<std::string> triggers;
  std::vector<std::string> problems;  // why nothing of it runs; empty: it does
};

struct CertificateStatus {
  std::string key_alias;  // of a keystore: the key that it is of; empty: the key has no name
  std::string subject;
  std::string issuer;
  Wall valid_from{};
  Wall valid_until{};
  enum class Age { good, ends_soon, expired, not_yet };  // soon: within 30 days
  Age age = Age::good;
};
std::string_view to_string(CertificateStatus::Age age);

// A truststore or keystore, as its files are now: what connections use is taken from them within
// seconds. No key is in it.
struct StoreStatus {
  enum class Kind { truststore, keystore };
  Kind kind = Kind::truststore;
  Definition definition;                        // its json and toml are empty
  std::string file;                             // "system": what the operating system trusts
  std::vector<std::string> aliases;             // that use it
  std::vector<CertificateStatus> certificates;  // of "system": none
  std::string problem;                          // why it cannot be used; empty: it can
};
std::string_view to_string(StoreStatus::Kind kind);

struct InboxStatus {
  std::uint64_t messages = 0;
  std::uint64_t dead_letters = 0;
  std::uint64_t bytes = 0;  // of the file
  std::uint64_t max_bytes = 0;
  std::optional<Wall> oldest;
  std::string trouble;          // empty: it takes messages
  HistogramSnapshot commit;     // seconds of one transaction
  HistogramSnapshot batch;      // messages of one transaction: the unit is 1, not seconds
  std::uint64_t acks_held = 0;  // acknowledgements that wait for the service or the disk
  std::uint64_t written = 0;
  std::uint64_t finished_before = 0;  // messages that never had to be written
  unsigned leaked_generations = 0;    // plugins that could not be unloaded
};

// ---- Definitions ----

// The keys of one alias or trigger, as they stand below [aliases.NAME] or [[triggers]]: TOML, or a
// JSON object with the same keys. `name` may be among them and then is the one that is meant.
struct DefinitionText {
  enum class Format { json, toml };
  Format format = Format::json;
  std::string text;
  // It may name files below [admin] manage_files alone: whoever sent it may not open all those that
  // this process may.
  bool confined = false;
};

enum class DefinitionKind { alias, trigger };

struct DefinitionChange {
  enum class Verb { create, replace, remove };
  Verb verb = Verb::create;
  DefinitionKind kind = DefinitionKind::trigger;
  std::string name;
  DefinitionText text;      // not with remove
  bool check_only = false;  // says what is wrong, and changes nothing
};

// What a reload, or a change of a definition, did.
struct ReloadReport {
  std::vector<std::string> added;          // "trigger NAME", "alias NAME"
  std::vector<std::string> removed;        //
  std::vector<std::string> changed;        // restarted, because their definition changed
  std::vector<std::string> restarted;      // restarted, because of what they use
  std::size_t unchanged = 0;               // untouched, with their connections and queues
  std::vector<std::string> needs_restart;  // "[inbox] sync", ...: kept as they were at the start
  std::vector<std::string> failures;       // "trigger NAME: why": applied, and does not run
  std::vector<std::string> warnings;
  double seconds = 0;
};

// ---- Trying ----

struct AliasTest {
  bool ok = false;
  std::string reason;  // why not
  std::string server;  // the one that answered
  double seconds = 0;  // until CONNACK, or until it failed
};

struct TriggerTestMessage {
  std::string topic;
  std::string payload;
  int qos = 1;
  bool retained = false;
  std::vector<std::pair<std::string, std::string>> user_properties;
};

struct TriggerTest {
  std::string verdict;  // "ok", "retry", "unavailable", "reject", "timeout", "invalid"
  std::string reason;
  std::uint64_t retry_after_ms = 0;
  double seconds = 0;  // in the service
  struct LogLine {
    std::string level;
    std::string text;
  };
  std::vector<LogLine> log;
  struct Published {
    std::string alias;
    std::string topic;
    std::string payload;
    int qos = 0;
    bool retained = false;
  };
  std::vector<Published> published;  // what it would have published: nothing was
};

struct PublishMessage {
  std::string alias;
  std::string topic;
  std::string payload;
  int qos = 1;
  bool retained = false;
  std::vector<std::pair<std::string, std::string>> user_properties;  // MQTT 5
};

struct TopicMatch {
  std::string trigger;
  bool gets_it = false;
  std::string filter;   // that matches, where one does
  std::string because;  // why not: no filter matches, disabled, not running...
};

// ---- Dead letters ----

struct DeadLetterFilter {
  std::string trigger;                  // empty: all
  std::optional<Wall> since;            // died then or later
  std::optional<Wall> until;            // died before
  std::optional<std::int64_t> up_to{};  // with this number or a lower one
};

struct DeadLetterView {
  std::int64_t number = 0;
  std::string message_id;
  std::string trigger;
  std::string topic;
  std::string payload;  // of a list: its beginning
  std::uint64_t payload_size = 0;
  int qos = 0;
  bool retained = false;
  std::string reason;
  std::uint32_t attempts = 0;
  Wall received{};
  Wall died{};
  std::vector<std::pair<std::string, std::string>> user_properties;
};

struct DeadLetterPage {
  std::vector<DeadLetterView> letters;  // newest first
  std::optional<std::int64_t> next;     // pass as `before` for the next page; nullopt: that was all
  std::uint64_t total = 0;              // that the filter lets through
};

struct DeadLettersDone {
  std::uint64_t done = 0;
  std::uint64_t failed = 0;
  std::string last_failure;  // or why it had to wait
  // The highest number there was at the beginning. Who goes on with the rest says so in the filter:
  // what dies again meanwhile is not taken again and again. 0: there was none.
  std::int64_t up_to = 0;
};

// ---- Events ----

struct AdminEvent {
  std::uint64_t number = 0;  // counts all events of the runtime, so gaps are what was dropped
  Wall when{};
  // "message": one verdict of one message; "dead_letter"; "trigger", "alias", "connection",
  // "plugin", "package", "runtime", "inbox": a change of state, which `text` tells.
  std::string kind;
  std::string trigger;
  std::string alias;
  std::string plugin;
  std::string text;
  // Of kind "message" and "dead_letter".
  std::string message_id;
  std::string topic;
  std::string payload;  // its beginning, kMaxEventPayload bytes at most
  std::uint64_t payload_size = 0;
  int qos = 0;
  std::string verdict;  // "ok", "retry", "reject", "timeout", "expired", "discarded"
  std::uint32_t attempt = 0;
  double seconds = 0;  // in the service
};
inline constexpr std::size_t kMaxEventPayload = 1'024;

// One listener's queue; as long as none exists, events cost nothing. [one thread]
class Subscription {
 public:
  virtual ~Subscription() = default;
  // Waits for one, at most to `deadline`. nullopt: none came, or the runtime stops.
  virtual std::optional<AdminEvent> next(Monotonic deadline) = 0;
  // Events that were dropped because this listener was too slow. [any]
  virtual std::uint64_t dropped() const = 0;
  // No more will come. [any]
  virtual bool ended() const = 0;
};

struct EventFilter {
  bool states = true;    // every kind but messages
  bool messages = true;  // "message" and "dead_letter"
  std::string trigger;   // empty: of all; else only what names it
};

// ---- The seam ----

class Administration {
 public:
  virtual ~Administration() = default;

  // ---- Status. All: short, and where it says so, inbox. ----

  virtual RuntimeStatus runtime() const = 0;
  virtual std::vector<AliasStatus> aliases() const = 0;
  virtual Outcome<AliasStatus> alias(std::string_view name) const = 0;
  virtual std::vector<TriggerStatus> triggers() const = 0;                  // inbox
  virtual Outcome<TriggerStatus> trigger(std::string_view name) const = 0;  // inbox
  virtual std::vector<PluginStatus> plugins() const = 0;
  virtual std::vector<PackageStatus> packages() const = 0;
  // Truststores first. Reads their files where they have changed: a disk.
  virtual std::vector<StoreStatus> stores() const = 0;
  virtual InboxStatus inbox_status() const = 0;  // inbox
  virtual std::vector<TopicMatch> match(std::string_view topic) const = 0;

  // ---- States. All: control. They stay over restarts. What is so already is no error. ----

  virtual Outcome<> enable_trigger(std::string_view name, const By& by) = 0;
  // Finishes what is in flight first.
  virtual Outcome<> disable_trigger(std::string_view name, const By& by,
                                    const std::string& reason) = 0;
  // Until it is resumed; its monitor may do that too.
  virtual Outcome<> suspend_trigger(std::string_view name, const By& by,
                                    const std::string& reason) = 0;
  virtual Outcome<> resume_trigger(std::string_view name, const By& by) = 0;
  virtual Outcome<> enable_alias(std::string_view name, const By& by) = 0;
  // With it, its triggers stop; their sessions stay at the server.
  virtual Outcome<> disable_alias(std::string_view name, const By& by,
                                  const std::string& reason) = 0;

  // ---- Definitions and configuration. All: control. ----

  // Checked by the rules of the file, plugins included; kept in STATE_DIR/managed.toml; applied.
  virtual Outcome<ReloadReport> change_definition(const DefinitionChange& change, const By& by) = 0;
  // As SIGHUP: reads all files again. All valid, or nothing changes.
  virtual Outcome<ReloadReport> reload(const By& by) = 0;

  // ---- Trying. They wait for a server or a service, for at most `timeout`. ----

  // Connects with another client id and a clean session, and says goodbye.
  virtual Outcome<AliasTest> test_alias(std::string_view name, Millis timeout) = 0;
  // The same of an alias that is not defined yet.
  virtual Outcome<AliasTest> test_alias(const std::string& name, const DefinitionText& text,
                                        Millis timeout) = 0;
  // Calls the trigger's service in an instance made for this, with a message that nobody sent and
  // nobody stores. What the service publishes is reported and not sent.
  virtual Outcome<TriggerTest> test_trigger(std::string_view name,
                                            const TriggerTestMessage& message, Millis timeout) = 0;
  // Returns once the server has it.
  virtual Outcome<> publish(const PublishMessage& message, Millis timeout) = 0;

  // ---- Plugins and packages. All: control. ----

  struct PluginReload {
    bool changed = false;  // false: the file is what is in service already
    unsigned generation = 0;
    std::string version;
    double pause_seconds = 0;
  };
  virtual Outcome<PluginReload> reload_plugin(const std::string& plugin,
                                              const PluginReloadOptions& how, const By& by) = 0;
  virtual Outcome<ReloadReport> enable_package(std::string_view name, const By& by) = 0;
  virtual Outcome<ReloadReport> disable_package(std::string_view name, const By& by) = 0;
  // `archive` is a file of this machine. `values`: ALIAS.KEY=VALUE, kept beside the package.
  virtual Outcome<ReloadReport> install_package(const std::string& archive,
                                                const std::vector<std::string>& values,
                                                bool downgrade, const By& by) = 0;
  virtual Outcome<ReloadReport> remove_package(std::string_view name, const By& by) = 0;

  // ---- Dead letters. All: inbox. ----

  // At most `limit` (1 to 1000) of those with a number below `before`, with at most `payload_bytes`
  // of each payload. An export is all pages with their whole payloads.
  virtual Outcome<DeadLetterPage> dead_letters(const DeadLetterFilter& filter,
                                               std::optional<std::int64_t> before,
                                               std::size_t limit,
                                               std::size_t payload_bytes) const = 0;
  virtual Outcome<DeadLetterView> dead_letter(std::int64_t number) const = 0;
  virtual Outcome<> replay_dead_letter(std::int64_t number, const By& by) = 0;
  // Oldest first, so that their order is kept. `progress`, where there is one, hears after each of
  // them how many are done of how many, and ends it by returning false.
  using Progress = std::function<bool(std::uint64_t done, std::uint64_t total)>;
  virtual Outcome<DeadLettersDone> replay_dead_letters(const DeadLetterFilter& filter, const By& by,
                                                       const Progress& progress) = 0;
  // nullopt: as it is.
  virtual Outcome<> edit_dead_letter(std::int64_t number, const std::optional<std::string>& topic,
                                     const std::optional<std::string>& payload, const By& by) = 0;
  virtual Outcome<> drop_dead_letter(std::int64_t number, const By& by) = 0;
  virtual Outcome<DeadLettersDone> drop_dead_letters(const DeadLetterFilter& filter, const By& by,
                                                     const Progress& progress) = 0;

  // ---- Events. short ----

  // `capacity` events wait at most; a listener that is slower loses some, and is told how many.
  virtual std::unique_ptr<Subscription> subscribe(const EventFilter& filter,
                                                  std::size_t capacity) = 0;
};

}  // namespace triggerd::management
