#include "client_options.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <cstddef>
#include <cstdint>
#include <trigger/plugin.hpp>
#include <utility>

namespace kafka {
namespace {

using trigger::SettingError;

constexpr const char* kept =
    "must not be set: a message is ok only once all in-sync replicas have it, once and in order";

constexpr const char* verified =
    "must not be set: a broker's certificate and its name are always verified";

// What has a setting of its own, or is part of what the plugin promises.
constexpr std::array<std::pair<std::string_view, const char*>, 33> refused{{
    {"bootstrap.servers", "must not be set here; see brokers"},
    {"metadata.broker.list", "must not be set here; see brokers"},
    {"message.timeout.ms", "must not be set here; see timeout_seconds"},
    {"delivery.timeout.ms", "must not be set here; see timeout_seconds"},
    {"linger.ms", "must not be set here; see linger_seconds"},
    {"queue.buffering.max.ms", "must not be set here; see linger_seconds"},
    {"compression.codec", "must not be set here; see compression"},
    {"compression.type", "must not be set here; see compression"},
    {"statistics.interval.ms", "must not be set here; see statistics_seconds"},
    {"security.protocol", "must not be set here; see tls and username"},
    {"ssl.ca.location", "must not be set here; see ca_file"},
    {"ssl.certificate.location", "must not be set here; see cert_file"},
    {"ssl.key.location", "must not be set here; see key_file"},
    {"sasl.mechanism", "must not be set here; see sasl_mechanism"},
    {"sasl.mechanisms", "must not be set here; see sasl_mechanism"},
    {"sasl.username", "must not be set here; see username"},
    {"sasl.password", "must not be set here; see password_file"},
    {"enable.ssl.certificate.verification", verified},
    {"ssl.endpoint.identification.algorithm", verified},
    {"enable.idempotence", kept},
    {"acks", kept},
    {"request.required.acks", kept},
    {"retries", kept},
    {"message.send.max.retries", kept},
    {"queuing.strategy", kept},
    {"enable.gapless.guarantee", kept},
    {"transactional.id", "must not be set: there are no transactions here"},
    {"transaction.timeout.ms", "must not be set: there are no transactions here"},
    {"delivery.report.only.error", "must not be set: the verdict is the delivery report"},
    {"log.queue", "must not be set: the log lines go to the runtime's log"},
    {"internal.termination.signal", "must not be set: the signals are the runtime's"},
    {"enabled_events", "must not be set: the plugin needs what it asks for"},
    {"plugin.library.paths", "must not be set: it would load code into the runtime"},
}};

// Words of names that a newer librdkafka may bring, too. What names a file, runs a program or is a
// secret has to be a setting whose name says so, because the runtime goes by that.
constexpr std::array<std::pair<std::string_view, const char*>, 14> refused_words{{
    {"location", "must not be set: it names a file"},
    {"file", "must not be set: it names a file"},
    {"path", "must not be set: it names a file"},
    {"stores", "must not be set: it names certificates; see ca_file"},
    {"keytab", "must not be set: it names a file"},
    {"kinit", "must not be set: it runs a program"},
    {"engine", "must not be set: it would load code into the runtime"},
    {"provider", "must not be set: it would load code into the runtime"},
    {"password", "must not be set: a secret must not be in options"},
    {"secret", "must not be set: a secret must not be in options"},
    {".pem", "must not be set: a secret must not be in options"},
    {"sasl.", "must not be set: this plugin knows username and password alone"},
    {"_cb", "must not be set: it is a function"},
    {"test.", "must not be set: it is for tests of librdkafka"},
}};

// librdkafka's message quotes the value, which is no secret: see refused_words.
void set(rd_kafka_conf_t* conf, std::string_view key, const std::string& name,
         const std::string& value) {
  std::array<char, 512> problem{};
  const rd_kafka_conf_res_t result =
      rd_kafka_conf_set(conf, name.c_str(), value.c_str(), problem.data(), problem.size());
  if (result == RD_KAFKA_CONF_OK) return;
  if (result == RD_KAFKA_CONF_UNKNOWN) {
    throw SettingError(key, std::string("is not known to librdkafka ") + rd_kafka_version_str());
  }
  std::string_view said = problem.data();
  if (!said.empty() && said.back() == '\n') said.remove_suffix(1);
  throw SettingError(key, "is refused by librdkafka: " + trigger::printable(said));
}

std::int64_t number(const rd_kafka_conf_t* conf, const char* name) {
  std::array<char, 64> text{};
  std::size_t size = text.size();
  std::int64_t value = 0;
  if (rd_kafka_conf_get(conf, name, text.data(), &size) == RD_KAFKA_CONF_OK) {
    std::from_chars(text.data(), text.data() + size, value);
  }
  return value;
}

// What librdkafka itself finds only once a producer is made, and what it does not find.
void check_together(const rd_kafka_conf_t* conf) {
  constexpr std::int64_t most_in_flight = 5;
  if (number(conf, "max.in.flight.requests.per.connection") > most_in_flight) {
    throw SettingError("options.max.in.flight.requests.per.connection",
                       "must be at most 5: messages of one key would come out of order");
  }
  if (number(conf, "reconnect.backoff.max.ms") < number(conf, "reconnect.backoff.ms")) {
    throw SettingError("options.reconnect.backoff.max.ms",
                       "must not be below options.reconnect.backoff.ms");
  }
  if (number(conf, "queue.buffering.max.kbytes") * 1024 < number(conf, "message.max.bytes")) {
    throw SettingError("options.queue.buffering.max.kbytes",
                       "must have room for one message of options.message.max.bytes");
  }
}

std::string joined(const std::vector<std::string>& parts) {
  std::string all;
  for (const std::string& part : parts) all += (all.empty() ? "" : ",") + part;
  return all;
}

}  // namespace

std::string why_refused(std::string_view option) {
  for (const auto& [name, why] : refused) {
    if (name == option) return why;
  }
  for (const auto& [word, why] : refused_words) {
    if (option.find(word) != std::string_view::npos) return why;
  }
  return {};
}

Configuration make_configuration(const Settings& settings) {
  Configuration conf(rd_kafka_conf_new(), &rd_kafka_conf_destroy);
  rd_kafka_conf_t* const raw = conf.get();

  // Below what the user says in options.
  set(raw, "client.id", "client.id", "triggerd");
  // As Kafka's own clients choose: other producers of the topic put the same key where this one
  // does.
  set(raw, "partitioner", "partitioner", "murmur2_random");
  // What librdkafka makes of its own default once it is idempotent.
  set(raw, "max.in.flight", "max.in.flight", "5");
  for (const auto& [name, value] : settings.options) set(raw, "options." + name, name, value);

  set(raw, "brokers", "bootstrap.servers", joined(settings.brokers));
  set(raw, "enable.idempotence", "enable.idempotence", "true");
  set(raw, "acks", "acks", "all");
  set(raw, "timeout_seconds", "message.timeout.ms", std::to_string(settings.timeout.count()));
  set(raw, "linger_seconds", "linger.ms", std::to_string(settings.linger.count()));
  set(raw, "compression", "compression.codec", settings.compression);
  set(raw, "statistics_seconds", "statistics.interval.ms",
      std::to_string(settings.statistics.count()));
  set(raw, "log.queue", "log.queue", "true");

  const bool sasl = !settings.username.empty();
  const char* const protocol =
      settings.tls ? (sasl ? "SASL_SSL" : "SSL") : (sasl ? "SASL_PLAINTEXT" : "PLAINTEXT");
  set(raw, "tls", "security.protocol", protocol);
  set(raw, "tls", "ssl.endpoint.identification.algorithm", "https");
  if (!settings.ca_file.empty()) set(raw, "ca_file", "ssl.ca.location", settings.ca_file);
  if (!settings.cert_file.empty()) {
    set(raw, "cert_file", "ssl.certificate.location", settings.cert_file);
    set(raw, "key_file", "ssl.key.location", settings.key_file);
  }
  if (sasl) {
    set(raw, "sasl_mechanism", "sasl.mechanisms", settings.sasl_mechanism);
    set(raw, "username", "sasl.username", settings.username);
    set(raw, "password", "sasl.password", current_password(settings));
  }
  check_together(raw);
  rd_kafka_conf_set_events(
      raw, RD_KAFKA_EVENT_DR | RD_KAFKA_EVENT_ERROR | RD_KAFKA_EVENT_STATS | RD_KAFKA_EVENT_LOG);
  return conf;
}

}  // namespace kafka
