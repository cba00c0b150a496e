// nats-server, which speaks MQTT beside its own protocol. It listens for MQTT at one place only,
// with TLS or without, so there are three: the first keeps everything and listens without TLS; the
// others, with TLS and with certificates of clients, are leaves of it and keep nothing.
#include <fmt/format.h>

#include "servers/standalone.hpp"

namespace triggerd::test::servers {
namespace {

constexpr const char* kHub = R"(server_name: hub
listen: "127.0.0.1:-1"
authorization {{ users: [ {{ user: {user}, password: {password} }} ] }}
jetstream {{ store_dir: "{folder}", domain: hub }}
leafnodes {{ listen: "127.0.0.1:{leaves}" }}
mqtt {{ listen: "127.0.0.1:{port}" }}
)";

constexpr const char* kLeaf = R"(server_name: {name}
listen: "127.0.0.1:-1"
authorization {{ users: [ {{ user: {login} }} ] }}
leafnodes {{ remotes: [ {{ url: "nats-leaf://{user}:{password}@127.0.0.1:{leaves}" }} ] }}
mqtt {{
  listen: "127.0.0.1:{port}"
  js_domain: hub
  tls {{ cert_file: "{certificate}", key_file: "{key}", {more} }}
}}
)";

class Nats final : public StandaloneServer {
 public:
  explicit Nats(const Certificates& certificates)
      : StandaloneServer("nats-server", "Version:\\s+(\\S+)", SIGINT) {
    dir_.write("hub.conf",
               fmt::format(kHub, fmt::arg("user", kUser), fmt::arg("password", kPassword),
                           fmt::arg("folder", (dir_ / "kept").string()),
                           fmt::arg("leaves", leaves_.number()), fmt::arg("port", port())));
    write_leaf("tls", tls_port(), fmt::format("{}, password: {}", kUser, kPassword), "",
               certificates);
    // A certificate is a user who needs no password.
    write_leaf("mutual", mutual_port(), fmt::format("\"CN={}\"", kUser),
               fmt::format("ca_file: \"{}\", verify_and_map: true", certificates.file("ca.pem")),
               certificates);
    tls_leaf_ = run("tls");
    mutual_leaf_ = run("mutual");
    start();
  }

 private:
  void write_leaf(const std::string& name, std::uint16_t port, const std::string& login,
                  const std::string& more, const Certificates& certificates) const {
    dir_.write(name + ".conf",
               fmt::format(
                   kLeaf, fmt::arg("name", name), fmt::arg("user", kUser), fmt::arg("login", login),
                   fmt::arg("password", kPassword), fmt::arg("leaves", leaves_.number()),
                   fmt::arg("port", port), fmt::arg("certificate", certificates.file("server.pem")),
                   fmt::arg("key", certificates.file("server.key")), fmt::arg("more", more)));
  }
  std::unique_ptr<Process> run(const std::string& name) const {
    return std::make_unique<Process>(
        std::vector<std::string>{NATS_PROGRAM, "-c", (dir_ / (name + ".conf")).string()},
        ProcessOptions{dir_.path(), {}});
  }
  std::unique_ptr<Process> launch() override { return run("hub"); }

  ReservedPort leaves_;
  std::unique_ptr<Process> tls_leaf_, mutual_leaf_;
};

}  // namespace

std::unique_ptr<Server> start_nats(const Certificates& certificates) {
  return std::make_unique<Nats>(certificates);
}

}  // namespace triggerd::test::servers
