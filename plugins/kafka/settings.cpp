#include "settings.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <cstdint>
#include <stdexcept>
#include <string_view>

#include "client_options.hpp"
#include "common/password_file.hpp"
#include "common/settings.hpp"
#include "record.hpp"

namespace kafka {
namespace {

using plugin_common::integer_between;
using plugin_common::MessageTemplate;
using plugin_common::readable_file;
using trigger::SettingError;

// Whether `text` is HOST or HOST:PORT; an IPv6 address is in brackets.
bool is_broker(std::string_view text) {
  std::size_t end = text.find(':');
  if (text.substr(0, 1) == "[") {
    end = text.find(']');
    if (end == std::string_view::npos) return false;
    ++end;
  }
  const std::string_view host = text.substr(0, end);
  const bool host_is_good = !host.empty() && std::all_of(host.begin(), host.end(), [](char c) {
    return c > 0x20 && c < 0x7F && std::string_view(",/@\"'").find(c) == std::string_view::npos;
  });
  if (!host_is_good) return false;
  if (end >= text.size()) return true;
  const std::string_view digits = text.substr(end + 1);
  int port = 0;
  const auto [stopped, error] = std::from_chars(digits.data(), digits.data() + digits.size(), port);
  return text[end] == ':' && error == std::errc() && stopped == digits.data() + digits.size() &&
         port > 0 && port <= 65535;
}

// The leaves below `key`, with what follows "KEY." in theirs. `what` continues 'setting "KEY" ' for
// one that is something else, or has none.
std::vector<std::pair<std::string, const trigger::Setting*>> below(
    const trigger::Settings& settings, const std::string& key, const char* what) {
  std::vector<std::pair<std::string, const trigger::Setting*>> found;
  for (const trigger::Setting& leaf : settings.leaves()) {
    if (leaf.key.compare(0, key.size() + 1, key + ".") != 0) continue;
    found.emplace_back(leaf.key.substr(key.size() + 1), &leaf);
  }
  if (found.empty() && settings.has(key)) throw SettingError(key, what);
  return found;
}

std::vector<std::string> read_brokers(const trigger::Settings& settings) {
  constexpr const char* what = "must be an array of strings: [\"kafka.example:9092\"]";
  std::vector<std::string> brokers;
  for (const auto& [index, leaf] : below(settings, "brokers", what)) {
    std::string broker = settings.text(leaf->key);
    if (!is_broker(broker)) {
      throw SettingError(leaf->key, "must be HOST or HOST:PORT, such as \"kafka.example:9092\"");
    }
    brokers.push_back(std::move(broker));
  }
  if (brokers.empty()) throw SettingError("brokers", std::string("is missing; it ") + what);
  return brokers;
}

MessageTemplate read_topic(const trigger::Settings& settings) {
  MessageTemplate topic("topic", settings.text("topic"));
  const std::string literals = topic.literals();
  const bool fits = std::all_of(literals.begin(), literals.end(), is_topic_character);
  if (!fits || (topic.is_the_same_for_all() && !is_topic(literals) && !literals.empty())) {
    throw SettingError("topic", std::string("must be a Kafka topic: ") + topic_rule);
  }
  return topic;
}

std::vector<Header> read_headers(const trigger::Settings& settings) {
  std::vector<Header> headers;
  for (const auto& [name, leaf] : below(settings, "headers", "must be a table: NAME = \"value\"")) {
    headers.push_back({name, {leaf->key, settings.text(leaf->key)}});
  }
  return headers;
}

std::vector<std::pair<std::string, std::string>> read_options(const trigger::Settings& settings) {
  std::vector<std::pair<std::string, std::string>> options;
  constexpr const char* what = "must be a table: \"a.name.of.librdkafka\" = value";
  for (const auto& [name, leaf] : below(settings, "options", what)) {
    const std::string why = why_refused(name);
    if (!why.empty()) throw SettingError(leaf->key, why);
    options.emplace_back(name, leaf->value);
  }
  return options;
}

void read_security(const trigger::Settings& settings, Settings& out) {
  using Word = std::pair<std::string_view, const char*>;
  constexpr std::array<Word, 3> mechanisms{
      {{"plain", "PLAIN"}, {"scram-sha-256", "SCRAM-SHA-256"}, {"scram-sha-512", "SCRAM-SHA-512"}}};
  out.tls = settings.boolean("tls", false);
  for (const char* key : {"ca_file", "cert_file", "key_file"}) {
    if (settings.has(key) && !out.tls) throw SettingError(key, "needs tls = true");
  }
  out.ca_file = readable_file(settings, "ca_file");
  out.cert_file = readable_file(settings, "cert_file");
  out.key_file = readable_file(settings, "key_file");
  if (out.cert_file.empty() != out.key_file.empty()) {
    throw out.key_file.empty() ? SettingError("cert_file", "needs key_file")
                               : SettingError("key_file", "needs cert_file");
  }

  out.username = settings.text("username", "");
  out.password = settings.text("password", "");
  out.password_file = settings.text("password_file", "");
  out.sasl_mechanism =
      plugin_common::choice(settings, "sasl_mechanism", "scram-sha-512", mechanisms,
                            "must be \"plain\", \"scram-sha-256\" or \"scram-sha-512\"");
  if (out.username.empty()) {
    if (settings.has("username")) throw SettingError("username", "must not be empty");
    for (const char* key : {"password", "password_file", "sasl_mechanism"}) {
      if (settings.has(key)) throw SettingError(key, "needs username");
    }
    return;
  }
  if (settings.has("password") && settings.has("password_file")) {
    throw SettingError("password_file", "cannot be combined with password");
  }
  if (!settings.has("password") && !settings.has("password_file")) {
    throw SettingError("username", "needs password_file or password");
  }
  if (settings.has("password") && out.password.empty()) {
    throw SettingError("password", "must not be empty");
  }
  try {
    current_password(out);
  } catch (const std::runtime_error& error) {
    throw SettingError("password_file", error.what());
  }
}

std::chrono::milliseconds read_linger(const trigger::Settings& settings) {
  constexpr double most = 60;
  const double value = settings.number("linger_seconds", 0);
  if (value < 0 || value > most) {
    throw SettingError("linger_seconds", "must be from 0 to 60 seconds");
  }
  return std::chrono::milliseconds(static_cast<std::int64_t>(value * 1000));
}

}  // namespace

std::string current_password(const Settings& settings) {
  return settings.password_file.empty() ? settings.password
                                        : plugin_common::read_password(settings.password_file);
}

Settings read_settings(const trigger::Context& context) {
  using Word = std::pair<std::string_view, const char*>;
  constexpr std::array<Word, 5> compressions{
      {{"none", "none"}, {"gzip", "gzip"}, {"snappy", "snappy"}, {"lz4", "lz4"}, {"zstd", "zstd"}}};
  const trigger::Settings& settings = context.settings();
  settings.require_known(
      {"brokers",         "topic",           "max_topics", "key",
       "headers",         "user_properties", "tombstones", "compression",
       "timeout_seconds", "linger_seconds",  "tls",        "ca_file",
       "cert_file",       "key_file",        "username",   "password",
       "password_file",   "sasl_mechanism",  "options",    "statistics_seconds"});
  Settings out{read_brokers(settings), read_topic(settings)};
  out.max_topics =
      static_cast<std::size_t>(integer_between(settings, "max_topics", 1000, 1, 100'000));
  if (settings.has("key")) out.key.emplace("key", settings.text("key"));
  out.headers = read_headers(settings);
  out.user_properties = settings.boolean("user_properties", true);
  out.tombstones = settings.boolean("tombstones", false);
  out.compression =
      plugin_common::choice(settings, "compression", "none", compressions,
                            "must be \"none\", \"gzip\", \"snappy\", \"lz4\" or \"zstd\"");
  out.timeout = plugin_common::seconds(settings, "timeout_seconds", 30);
  out.linger = read_linger(settings);
  if (out.linger >= out.timeout) {
    throw SettingError("linger_seconds", "must be below timeout_seconds");
  }
  out.statistics =
      std::chrono::seconds(integer_between(settings, "statistics_seconds", 5, 1, 86'400));
  read_security(settings, out);
  out.options = read_options(settings);
  make_configuration(out);  // librdkafka's own opinion
  return out;
}

}  // namespace kafka
