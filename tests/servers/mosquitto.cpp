#include "support/mosquitto.hpp"

#include <fmt/format.h>

#include <regex>

#include "servers/server.hpp"

namespace triggerd::test::servers {
namespace {

class Mosquitto final : public Server {
 public:
  explicit Mosquitto(const Certificates& certificates)
      : server_({.users = {{kUser, kPassword}},
                 .persistence = true,
                 .extra_config = listener(certificates, tls_.number()) +
                                 listener(certificates, mutual_.number()) +
                                 "require_certificate true\nuse_identity_as_username true\n"}) {}

  std::string version() const override {
    const std::string said = output();
    std::smatch found;
    std::regex_search(said, found, std::regex("mosquitto version (\\S+) starting"));
    return found[1];
  }
  std::uint16_t port() const override { return server_.port(); }
  std::uint16_t tls_port() const override { return tls_.number(); }
  std::uint16_t mutual_port() const override { return mutual_.number(); }
  void restart() override { server_.restart(); }
  std::string output() const override { return server_.process().output(); }

 private:
  static std::string listener(const Certificates& certificates, std::uint16_t port) {
    return fmt::format("listener {} 127.0.0.1\ncafile {}\ncertfile {}\nkeyfile {}\n", port,
                       certificates.file("ca.pem"), certificates.file("server.pem"),
                       certificates.file("server.key"));
  }

  ReservedPort tls_, mutual_;
  mutable MosquittoServer server_;
};

}  // namespace

std::unique_ptr<Server> start_mosquitto(const Certificates& certificates) {
  return std::make_unique<Mosquitto>(certificates);
}

}  // namespace triggerd::test::servers
