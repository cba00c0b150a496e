#include "servers/abilities.hpp"

#include <algorithm>
#include <charconv>
#include <stdexcept>

namespace triggerd::test::servers {
namespace {

struct Exception {
  const char* key;
  const char* server;
  const char* instead;
  const char* until = "";  // the first version that does better; empty: none is known
};

constexpr Exception kExceptions[] = {
    // Before, its plugin spoke 3.1 and 3.1.1, and ended on a CONNECT of 5 without an answer.
    {"mqtt5", "rabbitmq", "no", "3.13"},
    {"shared5", "rabbitmq", "no", "3.13"},
    {"shared5", "rabbitmq", "no: granted, and nothing comes"},
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

    {"mqtt5", "nats", "no"},
    {"shared5", "nats", "no"},
    {"shared", "nats", "no: granted, and nothing comes"},
    {"qos2", "nats", "no: refused", "2.10"},
    {"publish2", "nats", "no: refused, and the connection ends", "2.10"},
    // The separator of its subjects is a dot, too.
    {"dot", "nats", "no: refused", "2.10"},
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

bool older(std::string_view version, std::string_view than) {
  const auto numbers = [](std::string_view text) {
    std::vector<int> found;
    for (const char* at = text.data(); at != text.data() + text.size();) {
      int number = 0;
      const auto [end, error] = std::from_chars(at, text.data() + text.size(), number);
      if (error == std::errc()) found.push_back(number);
      at = error == std::errc() ? end : at + 1;
    }
    return found;
  };
  return numbers(version) < numbers(than);
}

std::string expected(std::string_view key, std::string_view server, std::string_view version) {
  const auto& all = abilities();
  if (std::none_of(all.begin(), all.end(), [&](const Ability& a) { return a.key == key; })) {
    throw std::logic_error("no such ability: " + std::string(key));
  }
  for (const Exception& exception : kExceptions) {
    if (exception.key == key && exception.server == server &&
        (*exception.until == '\0' || older(version, exception.until))) {
      return exception.instead;
    }
  }
  return "yes";
}

}  // namespace triggerd::test::servers
