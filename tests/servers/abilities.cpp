#include "servers/abilities.hpp"

#include <algorithm>
#include <stdexcept>

namespace triggerd::test::servers {
namespace {

struct Exception {
  const char* key;
  const char* server;
  const char* instead;
};

constexpr Exception kExceptions[] = {
    // Its plugin speaks 3.1 and 3.1.1, and ends on a CONNECT of 5 without an answer.
    {"mqtt5", "rabbitmq", "no"},
    {"shared5", "rabbitmq", "no"},
    // Its queues know no QoS 2, and it answers one with PUBACK.
    {"qos2", "rabbitmq", "comes with QoS 1"},
    {"publish2", "rabbitmq", "no: comes, and the connection ends"},
    // It takes "$share" for the first level of a topic like any other.
    {"shared", "rabbitmq", "no: granted, and nothing comes"},
    // It looks a retained message up by its topic.
    {"retained_wildcard", "rabbitmq", "no"},
    // AMQP's separator is a dot, and a dot comes back as MQTT's.
    {"dot", "rabbitmq", "no: comes as a slash"},

    {"mqtt5", "aedes", "no"},
    {"shared5", "aedes", "no"},
    {"shared", "aedes", "no: granted, and nothing comes"},
    // Memory is where it keeps them, unless the program around it says otherwise.
    {"session_restart", "aedes", "no: kept in memory"},
};

}  // namespace

const std::vector<Ability>& abilities() {
  static const std::vector<Ability> all{
      {"qos0", "QoS 0"},
      {"qos1", "QoS 1"},
      {"qos2", "QoS 2"},
      {"large", "a message of 512 KiB"},
      {"dot", "a dot in a topic"},
      {"session", "session: what comes while triggerd is stopped"},
      {"session_kill", "session: what comes after triggerd was killed"},
      {"session_restart", "session: kept over a restart of the server"},
      {"clean", "clean session: nothing is kept"},
      {"reconnect", "triggers go on after a restart of the server"},
      {"will", "last will, when triggerd is killed"},
      {"will_payloads", "`on_connect_payload`, `on_disconnect_payload`"},
      {"retained", "retained message, a filter without wildcards"},
      {"retained_wildcard", "retained message, a filter with wildcards"},
      {"retained_skip", "`retained = \"skip\"`"},
      {"retained_once", "`retained = \"once\"`, over a restart of triggerd"},
      {"publish1", "a service publishes, QoS 1"},
      {"publish2", "a service publishes, QoS 2"},
      {"login", "a wrong password is refused"},
      {"tls", "TLS"},
      {"mutual", "mutual TLS instead of a password"},
      {"shared", "shared subscription, MQTT 3.1.1"},
      {"mqtt5", "MQTT 5"},
      {"shared5", "shared subscription, MQTT 5"},
  };
  return all;
}

std::string expected(std::string_view key, std::string_view server) {
  const auto& all = abilities();
  if (std::none_of(all.begin(), all.end(), [&](const Ability& a) { return a.key == key; })) {
    throw std::logic_error("no such ability: " + std::string(key));
  }
  for (const Exception& exception : kExceptions) {
    if (exception.key == key && exception.server == server) return exception.instead;
  }
  return "yes";
}

}  // namespace triggerd::test::servers
