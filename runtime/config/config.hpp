// config/: triggers.toml to a validated Config. It knows base/ and nothing else of the runtime.
//
//   config.hpp        what a configuration says, after every check and with every default filled in
//   load.hpp          files -> Config, or all their errors at once
//   difference.hpp    what a reload has to restart
//   managed.hpp       aliases and triggers defined at run time
//   managed_rules.hpp what a definition over the API must not say
//   secrets.hpp       definitions as they are shown, without their secrets
//   local_values.hpp  this machine's values for a package's aliases
//   topic_filter.hpp  MQTT topic filters: validity and matching
//   secret.hpp        passwords, which never reach a log
//
// A Config is built once on the main thread and not changed afterwards, so any thread may read it.
// Keys, defaults and rules are described for users in docs/reference/configuration.md.
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/backoff.hpp"
#include "base/clock.hpp"
#include "base/log_level.hpp"
#include "config/secret.hpp"

namespace triggerd::config {

struct Node;

// Where something was written, for messages: FILE:LINE:COLUMN.
struct Place {
  std::string file;
  std::uint32_t line = 0;
  std::uint32_t column = 0;
};
std::string to_string(const Place& place);

// One error. `message` says what is wrong and, if possible, what to write instead.
struct Diagnostic {
  Place place;
  std::string message;
};

struct RuntimeSection {
  std::string name;  // default: the host name
  std::filesystem::path state_dir = "var";
  Place state_dir_place;
  std::vector<std::filesystem::path> plugin_dirs;
  std::filesystem::path packages_dir = "packages";
  Millis drain_timeout{10'000};
  bool hot_reload = false;  // watch plugin_dirs, and reload plugins that are rebuilt there
};

struct InboxSection {
  bool sync_to_disk = true;  // sync = "disk"; else "process": left to the operating system's cache
  std::uint64_t max_size = 1ULL << 30;
};

// Where the administrator's HTTP server listens.
struct ListenAddress {
  std::string host = "127.0.0.1";  // a name or an address, IPv6 without its brackets
  std::uint16_t port = 9464;       // 0: the kernel chooses one

  // Only this machine can reach it.
  bool is_loopback() const;
};
// "127.0.0.1:9464", IPv6 in brackets.
std::string to_string(const ListenAddress& address);

struct AdminSection {
  std::optional<ListenAddress> listen = ListenAddress();  // nullopt: no HTTP server
  // A Unix socket, 0600, relative to state_dir; empty: none.
  std::filesystem::path socket = "admin.sock";
  std::filesystem::path token_file;       // where `token` came from; empty: there is none
  Secret token;                           // callers from other machines have to show it
  std::filesystem::path read_token_file;  // as token_file
  Secret read_token;                      // grants read access only
  bool manage = false;                    // aliases and triggers may be defined at run time
  // What is defined at run time may name files below this folder; empty: none.
  std::filesystem::path manage_files;
};

struct LogSection {
  LogLevel level = LogLevel::info;
  LogFormat format = LogFormat::text;
  std::map<std::string, LogLevel> plugins;  // by plugin, for its services; default: `level`
};

// One server address. Schemes tcp and mqtt are TCP (default port 1883), ws is WebSocket (80); ssl,
// tls and mqtts are TLS (8883), wss is WebSocket on TLS (443).
struct Server {
  enum class Scheme { tcp, ws, ssl, wss };
  Scheme scheme = Scheme::tcp;
  std::string host;  // a name, an IPv4 address, or an IPv6 address without its brackets
  std::uint16_t port = 1883;
  std::string path;  // a WebSocket's, with its leading slash; else empty

  bool has_tls() const { return scheme == Scheme::ssl || scheme == Scheme::wss; }
  bool is_websocket() const { return scheme == Scheme::ws || scheme == Scheme::wss; }
};
// "tcp://host:1883", IPv6 in brackets: as log lines show it and Paho takes it.
std::string to_string(const Server& server);

// The proxy between us and an alias's servers; it resolves their names. Scheme http is CONNECT
// (default port 8080), socks5 is SOCKS5 (1080).
struct Proxy {
  enum class Scheme { http, socks5 };
  Scheme scheme = Scheme::http;
  std::string host;  // as in Server
  std::uint16_t port = 8080;
  std::string user_name;  // empty: no authentication
  Secret password;
  // The file that `password` came from, if any; it is read again for each connect.
  std::filesystem::path password_file;
};
// "http://host:8080", IPv6 in brackets: without user name and password.
std::string to_string(const Proxy& proxy);

// Whom to trust: the certificates that a server's own must chain up to.
struct Truststore {
  std::string name;
  Place place;
  bool system = false;         // file = "system": what the operating system trusts
  std::filesystem::path file;  // else: a PEM bundle, or a folder of certificates
  Place file_place;
};

// Who we are: keys with their certificates, in one PKCS#12 file or a pair of PEM files.
struct Keystore {
  std::string name;
  Place place;
  std::filesystem::path file;  // PKCS#12; empty: the two below
  std::filesystem::path certificate;
  std::filesystem::path private_key;
  Place file_place;         // of `file` or `certificate`
  Place private_key_place;  // of `file` or `private_key`
  Secret password;
  std::filesystem::path password_file;  // that `password` came from, if any; it is read again
};

struct LastWill {
  bool enabled = true;  // false: the server gets none; on_connect and on_disconnect still count
  std::string topic;
  int qos = 1;
  bool retained = false;
  std::string payload;
  std::optional<std::string> on_connect_payload;
  std::optional<std::string> on_disconnect_payload;
};

enum class Protocol { v3_1_1, v5 };

struct Alias {
  std::string name;
  std::string package;  // the package that carries it; empty: the configuration's own files
  Place place;
  std::string description;
  bool enabled = true;
  std::vector<Server> servers;  // tried in order
  std::string client_id;        // empty: generated once and kept in state_dir
  Protocol protocol = Protocol::v3_1_1;
  bool clean_session = false;  // for subscriptions
  // MQTT 5: how long the server keeps the session without a connection, in whole seconds.
  std::chrono::seconds session_expiry{7 * 24 * 3600};
  std::uint16_t receive_maximum = 1000;  // MQTT 5: unacknowledged messages in flight to us
  std::uint16_t topic_aliases = 32;  // MQTT 5: topic aliases that the server may use per connection
  // Unconfirmed messages of QoS 1 and 2 in flight from us; nullopt: what the server takes, or 20.
  std::optional<std::uint16_t> max_inflight;
  std::uint16_t filters_per_packet = 100;  // at most, in one SUBSCRIBE or UNSUBSCRIBE
  std::optional<Millis> connection_timeout = Millis{30'000};  // nullopt: wait without limit
  Millis keep_alive{60'000};                                  // 0: off
  Backoff reconnect{Millis{1'000}, Millis{60'000}, 2.0};
  std::uint64_t max_packet_size = 1 << 20;
  std::string user_name;
  Secret password;
  // The file that `password` came from, if any; it is read again for each connect.
  std::filesystem::path password_file;
  std::optional<Proxy> proxy;  // nullopt: connect to the servers directly
  std::optional<LastWill> last_will;
  std::string truststore;  // empty: no server uses TLS
  Place truststore_place;
  std::string keystore;  // empty: no client certificate
  Place keystore_place;
  std::string key_alias;  // empty: the only key of the keystore
  Place key_alias_place;
  std::vector<std::string> alpn;        // protocols to offer in the TLS handshake, by preference
  std::shared_ptr<const Node> written;  // its table as written, ${NAME} unexpanded

  bool has_tls() const { return !servers.empty() && servers.front().has_tls(); }
};

// MQTT 5: when the server answers SUBSCRIBE with retained messages (MQTT 5.0, section 3.8.3.1).
enum class RetainHandling { always, if_new, never };

struct Topic {
  std::string filter;
  int qos = 1;
  // MQTT 5.
  bool no_local = false;             // do not receive what this connection publishes itself
  bool retain_as_published = false;  // messages keep the RETAIN flag they were published with
  RetainHandling retain_handling = RetainHandling::always;
  std::uint32_t subscription_id = 0;  // the server adds it to messages that match; 0: none
};

// Which messages of a trigger may not overtake each other.
struct Order {
  enum class By {
    trigger,      // all of them
    topic,        // those with the same topic
    topic_level,  // those with the same `level` (1 or more) of their topic
    property,     // MQTT 5: those with the same value of user property `pointer`
    json,         // those with the same value at JSON pointer `pointer` of their payload
    none
  };
  By by = By::trigger;
  unsigned level = 0;
  std::string pointer;  // By::json: the JSON pointer; By::property: the name
};

enum class Retained { process, skip, once };
enum class Acknowledge { received, finished, durable };
enum class OnExhausted { dead_letter, suspend, discard };

struct Retry {
  // Including the first. With the intervals below, the last attempt comes after a minute or two:
  // time enough to restart whatever the service calls.
  std::uint32_t max_attempts = 8;
  Backoff backoff{Millis{1'000}, Millis{300'000}, 2.0};
};

// One leaf of [triggers.settings]: its dotted key, and its value as text. Array elements are
// counted from 0: "sensors.0.name".
struct Setting {
  enum class Type { string, integer, floating, boolean };
  std::string key;
  std::string value;
  Type type = Type::string;
};

struct Settings {
  std::string json = "{}";  // the table as one JSON object
  std::vector<Setting> flat;
};

// Where a trigger's service runs.
enum class Isolation { none, process };

struct Trigger {
  std::string name;
  std::string package;  // as in Alias
  Place place;
  std::string description;
  bool enabled = true;
  std::string alias;
  std::vector<Topic> topics;
  std::string shared_group;  // empty: not shared
  std::string plugin;        // "thermostat" of "thermostat:high-temperature"
  std::string service;       // "high-temperature"; empty: the only one the plugin exports
  Place service_place;
  std::uint32_t concurrency = 1;
  Place concurrency_place;
  // Whether its service is brief enough to be called on the thread that reads messages; nullopt:
  // the service decides.
  std::optional<bool> brief;
  Order order;
  std::uint32_t queue_capacity = 1000;
  Acknowledge acknowledge = Acknowledge::durable;
  Millis timeout{30'000};
  Retained retained = Retained::process;
  Retry retry;
  OnExhausted on_exhausted = OnExhausted::dead_letter;
  std::string dead_letter_topic;  // empty: none
  std::string monitor_plugin;   // of the monitor service; empty: the trigger's own service is asked
  std::string monitor_service;  // as `service`
  Place monitor_place;
  Millis monitor_interval{60'000};
  Isolation isolation = Isolation::none;
  std::uint64_t isolation_memory = 0;  // bytes, for its process; 0: no limit
  Place isolation_place;
  std::optional<LogLevel> log_level;  // for its service's messages; from [log.plugins] unless set
  Settings settings;
  std::shared_ptr<const Node> written;  // as in Alias
};

// A package that another one needs.
struct Requirement {
  std::string name;
  Place place;
};

// A package as it was found, whether or not it could be loaded. With `problems`, nothing that it
// carries is in the Config.
struct Package {
  std::string name;
  std::string version;  // empty if its package.toml cannot be read
  std::string description;
  std::filesystem::path folder;
  std::filesystem::path staged_in;  // where its files are during its installation; else empty
  bool enabled = true;              // false: nothing that it carries is either
  std::vector<Requirement> requirements;
  std::vector<Diagnostic> problems;
};

struct Config {
  RuntimeSection runtime;
  LogSection log;
  InboxSection inbox;
  AdminSection admin;
  std::vector<Truststore> truststores;
  std::vector<Keystore> keystores;
  std::vector<Alias> aliases;
  std::vector<Trigger> triggers;
  std::vector<Package> packages;  // each package comes after those it requires

  const Truststore* find_truststore(std::string_view name) const;
  const Keystore* find_keystore(std::string_view name) const;
  // The folders to search for the plugins of `package`'s triggers, in this order: the package's
  // own, those of the packages it requires, plugin_dirs. With an empty name, plugin_dirs alone.
  std::vector<std::filesystem::path> plugin_dirs_for(std::string_view package) const;

  // Why enabled packages could not be loaded.
  std::vector<Diagnostic> package_problems() const;

  const Package* find_package(std::string_view name) const;
  // The package that owns the file of `place`; null if it is one of the configuration's own files.
  const Package* package_at(const Place& place) const;
  const Alias* find_alias(std::string_view name) const;
  const Trigger* find_trigger(std::string_view name) const;
};

}  // namespace triggerd::config
