#include "servers/standalone.hpp"

#include <fmt/format.h>

#include <filesystem>
#include <regex>
#include <stdexcept>

#include "support/mqtt_client.hpp"

namespace triggerd::test::servers {
namespace {

// RabbitMQ takes ten seconds on an idle machine.
constexpr Millis kStartPatience{120'000};
constexpr Millis kStopPatience{60'000};

}  // namespace

Certificates::Certificates() {
  const auto write = [this](const std::string& name, const Identity& identity) {
    dir.write(name + ".pem", identity.certificate_pem());
    const auto key = dir.write(name + ".key", identity.key_pem());
    std::filesystem::permissions(key, std::filesystem::perms(0600));
  };
  dir.write("ca.pem", authority.pem());
  write("server", authority.issue({.name = "localhost"}));
  write("client", authority.issue({.name = kUser}));
}

bool StandaloneServer::answers() const {
  if (!connect_loopback(tls_port())) return false;
  try {
    const TestClient client(port(), {.user_name = kUser, .password = kPassword});
    return true;
  } catch (const ConnectRefused&) {
    return false;
  }
}

void StandaloneServer::start() {
  process_ = launch();
  const bool ready =
      eventually([this] { return !process_->running() || answers(); }, kStartPatience);
  const std::string said = process_->output();
  std::smatch found;
  if (!ready || !process_->running() || !std::regex_search(said, found, std::regex(pattern_))) {
    throw std::runtime_error(name_ + " does not answer; it said:\n" + said);
  }
  version_ = found[1];
}

void StandaloneServer::restart() {
  process_->signal(end_);
  if (process_->wait(kStopPatience) != Exit{}) {
    throw std::runtime_error(name_ + " did not stop in good order; it said:\n" + output());
  }
  start();
}

}  // namespace triggerd::test::servers
