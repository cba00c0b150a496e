// [triggers.settings] of kafka, read and checked.
#pragma once

#include <chrono>
#include <cstddef>
#include <optional>
#include <string>
#include <trigger/plugin.hpp>
#include <utility>
#include <vector>

#include "common/message_template.hpp"

namespace kafka {

struct Header {
  std::string name;
  plugin_common::MessageTemplate value;
};

struct Settings {
  std::vector<std::string> brokers;  // HOST[:PORT]

  plugin_common::MessageTemplate topic;
  std::size_t max_topics = 0;
  std::optional<plugin_common::MessageTemplate> key;
  std::vector<Header> headers;
  bool user_properties = true;
  bool tombstones = false;

  std::string compression;
  std::chrono::milliseconds timeout{};
  std::chrono::milliseconds linger{};
  std::chrono::milliseconds statistics{};

  bool tls = false;
  std::string ca_file;    // empty: the system's
  std::string cert_file;  // empty: none
  std::string key_file;
  std::string username;  // empty: no SASL
  std::string password;
  std::string password_file;  // empty: none
  std::string sasl_mechanism;

  std::vector<std::pair<std::string, std::string>> options;  // as librdkafka has them
};

// Throws trigger::SettingError. Checks files, but never uses the network.
Settings read_settings(const trigger::Context& context);

// password, or what password_file says now. Throws std::runtime_error, without the password.
std::string current_password(const Settings& settings);

}  // namespace kafka
