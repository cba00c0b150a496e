// RabbitMQ with its MQTT plugin. Beside its listeners it has a port for other nodes, and a program
// that tells them which: both are on loopback too, and the program is one of our own, as the one
// that Erlang would start stays for ever.
#include <fmt/format.h>

#include <filesystem>

#include "servers/standalone.hpp"

namespace triggerd::test::servers {
namespace {

constexpr const char* kConfig = R"(listeners.tcp = none
mqtt.listeners.tcp.1 = 127.0.0.1:{port}
mqtt.listeners.ssl.1 = 127.0.0.1:{tls_port}
mqtt.allow_anonymous = false
mqtt.ssl_cert_login = true
ssl_cert_login_from = common_name
ssl_options.cacertfile = {ca}
ssl_options.certfile = {certificate}
ssl_options.keyfile = {key}
ssl_options.verify = verify_peer
ssl_options.fail_if_no_peer_cert = false
default_user = {user}
default_pass = {password}
log.console = true
log.console.level = info
log.file = false
)";

class RabbitMq final : public StandaloneServer {
 public:
  explicit RabbitMq(const Certificates& certificates)
      : StandaloneServer("RabbitMQ", "Starting RabbitMQ (\\S+)") {
    dir_.write("rabbitmq.conf",
               fmt::format(kConfig, fmt::arg("port", port()), fmt::arg("tls_port", tls_port()),
                           fmt::arg("ca", certificates.file("ca.pem")),
                           fmt::arg("certificate", certificates.file("server.pem")),
                           fmt::arg("key", certificates.file("server.key")),
                           fmt::arg("user", kUser), fmt::arg("password", kPassword)));
    dir_.write("enabled_plugins", "[rabbitmq_mqtt].\n");
    const auto cookie = dir_.write("home/.erlang.cookie", "ofthistestalone");
    std::filesystem::permissions(cookie, std::filesystem::perms(0400));
    start_epmd();
    start();
  }

  // It asks for a certificate on every listener with TLS, or on none; who shows one needs no
  // password.
  std::uint16_t mutual_port() const override { return tls_port(); }

 private:
  void start_epmd() {
    epmd_ = std::make_unique<Process>(std::vector<std::string>{
        EPMD_PROGRAM, "-address", "127.0.0.1", "-port", std::to_string(epmd_port_.number())});
  }

  std::unique_ptr<Process> launch() override {
    const auto file = [this](const char* name) { return (dir_ / name).string(); };
    return std::make_unique<Process>(
        std::vector<std::string>{RABBITMQ_PROGRAM},
        ProcessOptions{
            dir_.path(),
            {{"HOME", file("home")},
             {"RABBITMQ_NODENAME", fmt::format("triggerd-test-{}@localhost", port())},
             {"RABBITMQ_BASE", file("base")},
             {"RABBITMQ_MNESIA_BASE", file("mnesia")},
             {"RABBITMQ_LOG_BASE", file("log")},
             {"RABBITMQ_LOGS", "-"},
             {"RABBITMQ_CONFIG_FILE", file("rabbitmq.conf")},
             {"RABBITMQ_ADVANCED_CONFIG_FILE", file("advanced.config")},
             {"RABBITMQ_CONF_ENV_FILE", file("rabbitmq-env.conf")},
             {"RABBITMQ_GENERATED_CONFIG_DIR", file("generated")},
             {"RABBITMQ_ENABLED_PLUGINS_FILE", file("enabled_plugins")},
             {"RABBITMQ_DIST_PORT", std::to_string(node_port_.number())},
             {"ERL_EPMD_ADDRESS", "127.0.0.1"},
             {"ERL_EPMD_PORT", std::to_string(epmd_port_.number())},
             {"RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS",
              "-start_epmd false -kernel inet_dist_use_interface {127,0,0,1} +S 2:2 +sbwt none"},
             // Its script then becomes the server, instead of a parent that may die alone.
             {"RUNNING_UNDER_SYSTEMD", "true"}}});
  }

  ReservedPort node_port_, epmd_port_;
  std::unique_ptr<Process> epmd_;
};

}  // namespace

std::unique_ptr<Server> start_rabbitmq(const Certificates& certificates) {
  return std::make_unique<RabbitMq>(certificates);
}

}  // namespace triggerd::test::servers
