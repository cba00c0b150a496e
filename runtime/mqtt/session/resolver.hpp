// Host names to addresses, and why a server could not be reached.
//
// getaddrinfo() has no time limit, and Paho would call it under its own lock, which freezes every
// connection of the process: so names are looked up here first, each on a thread of its own that
// nobody waits for. Lookups of one name that is already being looked up share the answer.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/result.hpp"
#include "config/config.hpp"
#include "mqtt/tls/tls_fwd.hpp"

namespace triggerd::mqtt {

class Resolver {
 public:
  // Numeric addresses in the system's order of preference; IPv6 without brackets.
  using Addresses = std::vector<std::string>;
  using Done = std::function<void(Result<Addresses>)>;
  virtual ~Resolver() = default;
  // `done` is called once, on any thread, possibly before this returns.
  virtual void resolve(const std::string& host, Done done) = 0;
  // What a connect that failed was for.
  struct Failed {
    std::string address;
    config::Server server;
    tls::MaterialPtr tls;
    std::optional<config::Proxy> proxy;  // whose `address` is, then
  };
  // Tries a TCP connection, the way through the proxy, and a TLS handshake on it, and tells in
  // words why they fail
  // ("connection refused"); empty where they do not. For messages only: the MQTT library keeps the
  // reason to itself.
  virtual void explain(const Failed& failed, std::function<void(std::string)> done) = 0;
};

std::unique_ptr<Resolver> make_system_resolver();

}  // namespace triggerd::mqtt
