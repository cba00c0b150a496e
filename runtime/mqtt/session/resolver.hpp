// Turns host names into addresses, and finds out why a server could not be reached.
//
// getaddrinfo() has no time limit, and Paho would call it under its own lock, which would freeze
// every connection of the process. So names are looked up here first, each on a thread of its own
// that nobody waits for. Whoever asks for a name that is being looked up shares the answer.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/clock.hpp"
#include "base/result.hpp"
#include "config/proxy.hpp"
#include "config/server.hpp"
#include "mqtt/tls/handshake.hpp"
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
  // A connect that failed.
  struct Failed {
    std::string address;
    config::Server server;
    tls::MaterialPtr tls;
    std::optional<config::Proxy> proxy;  // then `address` is the proxy's
  };
  // Tries a TCP connection, the way through the proxy and a TLS handshake, and tells in words which
  // of them fails and why ("connection refused"); empty where none does. For messages only, since
  // the MQTT library keeps the reason to itself. `done` as above.
  virtual void explain(const Failed& failed, std::function<void(std::string)> done) = 0;
};

// A lookup may go on when the resolver is gone; an explanation is ended with it, and told.
// explain() gives each of its steps as long as `limits` give a handshake: a connect and a proxy,
// too.
std::unique_ptr<Resolver> make_system_resolver(const Clock& clock,
                                               const tls::HandshakeLimits& limits = {});

}  // namespace triggerd::mqtt
