// What the file says, in the terms of Integration Server. Defaults are those of its Administrator.
#pragma once

#include <string>
#include <vector>

#include "webmethods/reader.hpp"

namespace triggerd::webmethods {

struct ExportedStore {  // of certificates or keys
  Read<std::string> name;
  std::string location;
  std::string type;
};

struct ExportedWill {
  bool enabled = true;
  Read<std::string> topic;
  long long qos = 1;
  bool retained = false;
  std::string payload;
  Read<std::string> on_connect;
  Read<std::string> on_disconnect;
};

struct ExportedAlias {
  unsigned line = 0;
  Read<std::string> name;
  std::string description;
  std::string package;
  bool enabled = true;
  Read<std::string> host;
  Read<std::string> client_id;
  bool clean_session = false;
  long long connection_timeout = 30;
  long long keep_alive = 60;
  std::vector<ExportedWill> will;  // none, or one
  Read<std::string> user_name;
  Read<bool> password;  // that there is one; it is never read
  Read<bool> use_ssl;
  Read<std::string> truststore;
  Read<std::string> keystore;
  Read<std::string> key;
};

struct ExportedTopic {
  Read<std::string> filter;
  long long qos = 1;
};

enum class ExportedState { enabled, disabled, suspended };

struct ExportedTrigger {
  unsigned line = 0;
  Read<std::string> name;
  std::string description;
  std::string package;
  Read<ExportedState> state;
  Read<std::string> alias;
  Read<std::string> service;
  std::vector<ExportedTopic> topics;
  long long threads = 1;
  Read<long long> queue_capacity;
  Read<bool> acknowledged_by_client;
  Read<long long> retries;
  Read<long long> retry_interval;
  Read<bool> stops_on_failure;
  Read<std::string> monitor;
};

struct ExportedPackage {
  unsigned line = 0;
  Read<std::string> name;
  Read<std::string> version;
  std::string description;
  bool enabled = true;
};

struct Exported {
  std::string source;
  std::vector<ExportedPackage> packages;
  std::vector<ExportedStore> truststores;
  std::vector<ExportedStore> keystores;
  std::vector<ExportedAlias> aliases;
  bool all_aliases_named = true;  // else one that seems to be missing may be one without a name
  std::vector<ExportedTrigger> triggers;
  Read<long long> retry_period{20};      // watt.server.commonmessaging.connection.retryPeriod
  Read<long long> stop_request_time{3};  // watt.server.commonmessaging.trigger.stopRequestTimeOut
};

inline constexpr std::string_view kFormat = "integration-server-mqtt/1";
inline constexpr std::string_view kMainPackage = "WmRoot";

Exported read_exported(const Value& root, Findings& findings);

}  // namespace triggerd::webmethods
