// An alias: a server, or several that can replace each other, and how to connect to them.
#pragma once

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/backoff.hpp"
#include "base/clock.hpp"
#include "config/last_will.hpp"
#include "config/outbox.hpp"
#include "config/password_command.hpp"
#include "config/place.hpp"
#include "config/protocol.hpp"
#include "config/proxy.hpp"
#include "config/secret.hpp"
#include "config/server.hpp"

namespace triggerd::config {

struct Node;

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
  // Unacknowledged QoS 1 and 2 messages in flight from us; nullopt: what the server allows, or 20.
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
  PasswordCommand password_command;  // prints the password; then the two above are empty
  std::optional<Proxy> proxy;        // nullopt: connect to the servers directly
  std::optional<LastWill> last_will;
  std::optional<Outbox> outbox;  // nullopt: what cannot be published at once is not
  std::string truststore;        // empty: no server uses TLS
  Place truststore_place;
  std::string keystore;  // empty: no client certificate
  Place keystore_place;
  std::string key_alias;  // empty: the only key of the keystore
  Place key_alias_place;
  std::vector<std::string> alpn;        // protocols to offer in the TLS handshake, by preference
  std::shared_ptr<const Node> written;  // its table as written, ${NAME} unexpanded

  bool has_tls() const { return !servers.empty() && servers.front().has_tls(); }
};

}  // namespace triggerd::config
