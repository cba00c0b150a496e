// What a runtime shows of itself: snapshots, owned by the caller.
//
// None of them contains a secret.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.hpp"
#include "base/histogram.hpp"
#include "management/definitions.hpp"
#include "management/errors.hpp"
#include "management/outboxes.hpp"
#include "management/pacing.hpp"

namespace triggerd::management {

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
  std::vector<std::string> needs_restart;  // changed in the files since the start, but not applied
  std::string config_file;
  std::optional<Wall> reloaded;     // the last reload that was applied
  std::string last_reload_failure;  // why the last reload was not applied; empty: it was, or none
};

struct ConnectionView {
  std::string client_id;
  std::string trigger;  // empty: the alias's own connection, used for publishing
  std::string state;    // "off", "connecting", "subscribing", "up", "waiting"
  bool up = false;      // connected, and every filter granted
  std::string reason;   // why it is not up
  Wall since{};         // in this state
  std::string server;   // the one connected to
  std::uint64_t reconnects = 0;
  std::uint64_t sessions_lost = 0;  // how often the server lost a session it should keep
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
  bool up = false;                          // whether its own connection is up
  std::vector<ConnectionView> connections;  // its own first, then its triggers'
  std::optional<Wall> certificate_ends;     // when our certificate expires
  std::uint64_t published_ok = 0;
  std::uint64_t published_failed = 0;
  std::optional<OutboxStatus> outbox;  // nullopt: without
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
  std::uint64_t filtered = 0;        // not for the service, by their content
  std::uint64_t duplicates = 0;      // not for the service: one with their key was handled
  std::uint64_t without_key = 0;     // handled whatever came before: they have no key
  std::uint64_t keys_forgotten = 0;  // before their time: there were too many
  // received = ok + filtered + duplicates + rejected + exhausted + discarded + expired + those not
  // finished.
  std::uint64_t retried = 0;    // attempts that failed and were not the last
  std::uint64_t rejected = 0;   // messages with the verdict reject
  std::uint64_t exhausted = 0;  // messages that became dead letters when they ran out of attempts
  std::uint64_t timed_out = 0;
  std::uint64_t invalid_verdicts = 0;
  std::uint64_t late_answers = 0;
  std::uint64_t unavailable = 0;  // not counted as attempts: what the service needs is away
  std::uint64_t expired = 0;
  std::uint64_t discarded = 0;
  std::uint64_t inline_calls = 0;  // calls of a brief service on the thread that read the message
  std::uint64_t not_brief = 0;     // of these, those that took too long
  std::uint64_t dead_letters_made = 0;  // since the start
  std::uint64_t refused = 0;            // over max_packet_size: acknowledged, but not in `received`
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
  std::string not_running_reason;  // empty if it runs

  std::vector<FilterStatus> filters;
  TriggerCounters counters;
  std::uint64_t queued = 0;  // waiting for a worker
  std::uint64_t in_flight = 0;
  std::uint64_t delayed = 0;  // waiting for their retry
  PacingStatus pacing;
  std::uint64_t late = 0;             // attempts that have not returned and are past their deadline
  std::optional<std::uint64_t> keys;  // of handled messages; nullopt: it tells none apart
  std::uint64_t inbox_messages = 0;
  std::optional<Wall> inbox_oldest;
  std::uint64_t dead_letters = 0;

  std::optional<Wall> unavailable_since;  // what its service needs is away: its messages wait
  std::string unavailable_reason;

  bool paused = false;  // whether receiving is paused
  std::string pause_reason;
  double paused_seconds = 0;  // total of all pauses since the start

  HistogramSnapshot handle;    // one call of the service, from handle() to its verdict
  HistogramSnapshot delivery;  // from the socket to the last verdict
  HistogramSnapshot batch;     // messages that arrived together: a count, not seconds
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
  std::string name;  // with "PACKAGE/" in front if it comes from a package
  std::string version;
  unsigned generation = 0;
  std::string sha256;
  std::string file;
  Wall in_service_since{};
  std::vector<std::string> services;
  std::vector<std::string> triggers;  // the triggers that use it
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
  std::string key_alias;  // in a keystore: the name of the key it belongs to; empty: none
  std::string subject;
  std::string issuer;
  Wall valid_from{};
  Wall valid_until{};
  enum class Age { good, ends_soon, expired, not_yet };  // soon: within 30 days
  Age age = Age::good;
};
std::string_view to_string(CertificateStatus::Age age);

// A truststore or keystore, as its files are now. Connections use the changed files within seconds.
// It contains no keys.
struct StoreStatus {
  enum class Kind { truststore, keystore };
  Kind kind = Kind::truststore;
  Definition definition;                        // its json and toml are empty
  std::string file;                             // "system": what the operating system trusts
  std::vector<std::string> aliases;             // the aliases that use it
  std::vector<CertificateStatus> certificates;  // empty for "system"
  std::string problem;                          // why it cannot be used; empty: it can
};
std::string_view to_string(StoreStatus::Kind kind);

struct InboxStatus {
  std::uint64_t messages = 0;
  std::uint64_t dead_letters = 0;
  std::uint64_t bytes = 0;  // size of the file
  std::uint64_t max_bytes = 0;
  std::optional<Wall> oldest;
  std::string trouble;          // empty: it takes messages
  HistogramSnapshot commit;     // duration of one transaction, in seconds
  HistogramSnapshot batch;      // messages in one transaction: a count, not seconds
  std::uint64_t acks_held = 0;  // acknowledgements that wait for the service or the disk
  std::uint64_t written = 0;
  std::uint64_t finished_before = 0;  // messages that finished before they were written
  unsigned leaked_generations = 0;    // plugins that could not be unloaded
};

struct TopicMatch {
  std::string trigger;
  bool gets_it = false;
  std::string filter;   // the one that matches; empty: none does
  std::string because;  // why not: no filter matches, disabled, not running...
  std::string when;     // the program that decides by the content; empty: none does
  PacingRules pacing;
  std::string once_by;  // the key by which it handles each message once; empty: it does not
};

// Reads the status. Thread-safe, for many threads at once. Every call takes locks that are held for
// microseconds; calls marked "inbox" also read the inbox, which is on disk: usually a few
// milliseconds. No call waits for a change that is under way, or for a server.
class StatusReader {
 public:
  virtual ~StatusReader() = default;

  virtual RuntimeStatus runtime() const = 0;
  virtual std::vector<AliasStatus> aliases() const = 0;
  virtual Outcome<AliasStatus> alias(std::string_view name) const = 0;
  virtual std::vector<TriggerStatus> triggers() const = 0;                  // inbox
  virtual Outcome<TriggerStatus> trigger(std::string_view name) const = 0;  // inbox
  virtual std::vector<PluginStatus> plugins() const = 0;
  virtual std::vector<PackageStatus> packages() const = 0;
  // Truststores first. Reads the files of stores that have changed.
  virtual std::vector<StoreStatus> stores() const = 0;
  virtual InboxStatus inbox_status() const = 0;  // inbox
  // Which triggers get a message with this topic, and why the others do not.
  virtual std::vector<TopicMatch> match(std::string_view topic) const = 0;
};

}  // namespace triggerd::management
