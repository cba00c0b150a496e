// The MQTT servers that the acceptance suite runs against: real ones, on loopback, on ports that
// the kernel chose, in folders of their own.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "support/certificate_authority.hpp"
#include "support/temp_dir.hpp"

namespace triggerd::test::servers {

// Everybody may do everything, but has to log in: with these, or on mutual_port() with a
// certificate of this common name.
inline constexpr const char* kUser = "tester";
inline constexpr const char* kPassword = "secret";

// What a server shows, and what its clients need, as files in a folder.
struct Certificates {
  Certificates();
  std::string file(const std::string& name) const { return (dir / name).string(); }

  TempDir dir;  // ca.pem, server.pem, server.key, client.pem, client.key
  CertificateAuthority authority;
};

// Threads: the test's own (see Process). The functions that start something throw where it does not
// answer, with what it said.
class Server {
 public:
  virtual ~Server() = default;
  virtual std::string version() const = 0;  // as it calls itself
  virtual std::uint16_t port() const = 0;   // TCP
  virtual std::uint16_t tls_port() const = 0;
  virtual std::uint16_t mutual_port() const = 0;
  // Where it has WebSockets that are tested here.
  virtual std::optional<std::uint16_t> websocket_port() const { return std::nullopt; }
  // Ends it in good order and starts it again, where it was and with what it has kept.
  virtual void restart() = 0;
  virtual std::string output() const = 0;
};

// `certificates` outlives it.
std::unique_ptr<Server> start_mosquitto(const Certificates& certificates);
std::unique_ptr<Server> start_rabbitmq(const Certificates& certificates);
std::unique_ptr<Server> start_aedes(const Certificates& certificates);
std::unique_ptr<Server> start_nats(const Certificates& certificates);  // where it is installed

}  // namespace triggerd::test::servers
