// A trigger: what it subscribes to, which service gets the messages, and how they are delivered.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/clock.hpp"
#include "base/log_level.hpp"
#include "config/delivery_rules.hpp"
#include "config/pacing.hpp"
#include "config/place.hpp"
#include "config/topic.hpp"
#include "content/options.hpp"

namespace triggerd::config {

struct Node;

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
  std::optional<Deduplicate> deduplicate;
  std::uint32_t queue_capacity = 1000;
  Pacing pacing;
  Acknowledge acknowledge = Acknowledge::durable;
  Millis timeout{30'000};
  Retained retained = Retained::process;
  Retry retry;
  OnExhausted on_exhausted = OnExhausted::dead_letter;
  std::string dead_letter_topic;      // empty: none
  content::Options content;           // which messages the service sees, and what of them
  std::filesystem::path schema_file;  // that content.schema was read from; empty: none
  std::string monitor_plugin;   // the monitor's plugin; empty: the trigger's own service is asked
  std::string monitor_service;  // as `service`
  Place monitor_place;
  Millis monitor_interval{60'000};
  Isolation isolation = Isolation::none;
  std::uint64_t isolation_memory = 0;  // bytes, for its process; 0: no limit
  Place isolation_place;
  std::optional<LogLevel> log_level;  // its own, or that in [log.plugins]; nullopt: [log] level
  Settings settings;
  std::shared_ptr<const Node> written;  // as in Alias
};

}  // namespace triggerd::config
