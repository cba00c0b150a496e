// config/: triggers.toml to a validated Config. It knows base/ and nothing else of the runtime.
//
//   config.hpp        what a configuration says, after every check and with every default filled in
//   load.hpp          files -> Config, or all their errors at once
//   topic_filter.hpp  MQTT topic filters: validity and matching
//   secret.hpp        passwords, which never reach a log
//
// A Config is built once on the main thread and not changed afterwards, so any thread may read it.
// Keys, defaults and rules are described for users in docs/configuration.md.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "base/backoff.hpp"
#include "base/clock.hpp"
#include "base/log.hpp"
#include "config/secret.hpp"

namespace triggerd::config {

// Where something was written, for messages: FILE:LINE:COLUMN.
struct Place {
  std::string file;
  std::uint32_t line = 0;
  std::uint32_t column = 0;
};
std::string to_string(const Place& place);

struct RuntimeSection {
  std::string name;  // default: the host name
  std::filesystem::path state_dir = "var";
  Place state_dir_place;
  std::vector<std::filesystem::path> plugin_dirs;
  Millis drain_timeout{10'000};
  bool hot_reload = false;  // watch plugin_dirs, and put what is built there in service
};

struct InboxSection {
  bool sync_to_disk = true;  // sync = "disk"; "process": in the operating system's hands
  std::uint64_t max_size = 1ULL << 30;
};

struct LogSection {
  LogLevel level = LogLevel::info;
  LogFormat format = LogFormat::text;
};

// One server address. Schemes tcp and mqtt are TCP (default port 1883), ws is WebSocket (80).
struct Server {
  enum class Scheme { tcp, ws };
  Scheme scheme = Scheme::tcp;
  std::string host;  // a name, an IPv4 address, or an IPv6 address without its brackets
  std::uint16_t port = 1883;
  std::string path;  // of a WebSocket, with its leading slash; else empty
};
// "tcp://host:1883", IPv6 in brackets: what log lines say and Paho takes.
std::string to_string(const Server& server);

struct LastWill {
  std::string topic;
  int qos = 1;
  bool retained = false;
  std::string payload;
  std::optional<std::string> on_connect_payload;
  std::optional<std::string> on_disconnect_payload;
};

struct Alias {
  std::string name;
  Place place;
  std::string description;
  bool enabled = true;
  std::vector<Server> servers;  // tried in order
  std::string client_id;        // empty: made once and kept in state_dir
  bool clean_session = false;   // for subscriptions
  std::optional<Millis> connection_timeout = Millis{30'000};  // nullopt: wait without limit
  Millis keep_alive{60'000};                                  // 0: off
  Backoff reconnect{Millis{1'000}, Millis{60'000}, 2.0};
  std::uint64_t max_packet_size = 1 << 20;
  std::string user_name;
  Secret password;
  std::optional<LastWill> last_will;
};

struct Topic {
  std::string filter;
  int qos = 1;
};

// Which messages of a trigger may not overtake each other.
struct Order {
  enum class By {
    trigger,      // all of them
    topic,        // those with the same topic
    topic_level,  // those with the same `level` (1 or more) of their topic
    json,         // those with the same value at JSON pointer `pointer` of their payload
    none
  };
  By by = By::trigger;
  unsigned level = 0;
  std::string pointer;
};

enum class Retained { process, skip, once };
enum class Acknowledge { received, finished, durable };
enum class OnExhausted { dead_letter, suspend, discard };

struct Retry {
  std::uint32_t max_attempts = 5;  // of all attempts, the first included
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

struct Trigger {
  std::string name;
  Place place;
  std::string description;
  bool enabled = true;
  std::string alias;
  std::vector<Topic> topics;
  std::string plugin;   // "thermostat" of "thermostat:high-temperature"
  std::string service;  // "high-temperature"; empty: the only one the plugin exports
  Place service_place;
  std::uint32_t concurrency = 1;
  Place concurrency_place;
  Order order;
  std::uint32_t queue_capacity = 1000;
  Acknowledge acknowledge = Acknowledge::durable;
  Millis timeout{30'000};
  Retained retained = Retained::process;
  Retry retry;
  OnExhausted on_exhausted = OnExhausted::dead_letter;
  std::string dead_letter_topic;  // empty: none
  std::string monitor_plugin;     // of the monitor service; empty: the trigger's own is asked
  std::string monitor_service;    // as `service`
  Place monitor_place;
  Millis monitor_interval{60'000};
  Settings settings;
};

struct Config {
  RuntimeSection runtime;
  LogSection log;
  InboxSection inbox;
  std::vector<Alias> aliases;
  std::vector<Trigger> triggers;

  const Alias* find_alias(std::string_view name) const;
  const Trigger* find_trigger(std::string_view name) const;
};

}  // namespace triggerd::config
