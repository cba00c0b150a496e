#include "support/mosquitto.hpp"

#include <fmt/format.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <filesystem>
#include <stdexcept>

#include "support/mqtt_packet.hpp"

namespace triggerd::test {
namespace {

// Whether a CONNECT gets its CONNACK, which may refuse it.
bool answers(std::uint16_t port, const std::string& client_id = {}) {
  const UniqueFd fd = connect_loopback(port, Millis(1000));
  if (!fd) return false;
  const std::string hello = packet::encode(packet::Connect{.client_id = client_id});
  char connack[4];
  return ::send(fd.get(), hello.data(), hello.size(), MSG_NOSIGNAL) ==
             static_cast<ssize_t>(hello.size()) &&
         ::recv(fd.get(), connack, sizeof connack, MSG_WAITALL) == sizeof connack &&
         connack[0] == 0x20;
}

}  // namespace

MosquittoServer::MosquittoServer(const MosquittoOptions& options) {
  if (options.websockets) websocket_port_.emplace();
  write_passwords(options);
  write_config(options);
  start();
}

void MosquittoServer::write_passwords(const MosquittoOptions& options) {
  if (options.users.empty()) return;
  const std::string file = dir_.write("passwords", "").string();
  std::filesystem::permissions(file, std::filesystem::perms(0600));
  for (const auto& [name, password] : options.users) {
    Process process({MOSQUITTO_PASSWD_PROGRAM, "-b", file, name, password});
    if (process.wait() != Exit{}) {
      throw std::runtime_error("mosquitto_passwd failed: " + process.output());
    }
  }
}

void MosquittoServer::write_config(const MosquittoOptions& options) {
  std::string config;
  // Started by root it would become the user "mosquitto", who may not enter our folder.
  if (::geteuid() == 0) config += "user root\n";
  config += "log_dest stderr\nconnection_messages true\n";
  for (const char* type :
       {"error", "warning", "notice", "information", "subscribe", "unsubscribe"}) {
    config += fmt::format("log_type {}\n", type);
  }
  config += "max_queued_messages 0\n";
  if (options.users.empty()) {
    config += "allow_anonymous true\n";
  } else {
    config +=
        fmt::format("allow_anonymous false\npassword_file {}\n", (dir_ / "passwords").string());
  }
  if (options.persistence) {
    config += fmt::format("persistence true\npersistence_location {}/\n", dir_.path().string());
  }
  if (websocket_port_) {
    config += fmt::format("listener {} 127.0.0.1\nprotocol websockets\n", websocket_port());
  }
  if (!options.also_on.empty()) {
    config += fmt::format("listener {} {}\n", port(), options.also_on);
  }
  config += fmt::format("listener {} 127.0.0.1\n", port());
  config += options.extra_config + "\n";
  dir_.write("mosquitto.conf", config);
}

void MosquittoServer::start() {
  process_ = std::make_unique<Process>(
      std::vector<std::string>{MOSQUITTO_PROGRAM, "-c", (dir_ / "mosquitto.conf").string()},
      ProcessOptions{dir_.path(), {}});
  const bool ready = eventually([this] {
    if (!process_->running()) return true;
    return answers(port()) && (!websocket_port_ || connect_loopback(websocket_port()));
  });
  if (ready && process_->running()) return;
  process_->kill();
  process_->wait();
  throw std::runtime_error("mosquitto does not answer; it said:\n" + process_->output());
}

std::vector<OutputLine> MosquittoServer::log() {
  const std::string marker = fmt::format("log-marker-{}-", ++markers_);
  const std::size_t from = process_->line_count();
  (void)eventually([&] { return answers(port(), marker); });
  if (!process_->wait_for_line(marker, from)) {
    throw std::runtime_error("mosquitto does not log a client; it said:\n" + process_->output());
  }
  return process_->lines();
}

std::size_t MosquittoServer::connects(const std::string& client_id) {
  const auto lines = log();
  const std::string came = fmt::format(" as {} (", client_id);
  return static_cast<std::size_t>(std::count_if(lines.begin(), lines.end(), [&](const auto& line) {
    return line.text.find(came) != std::string::npos;
  }));
}

void MosquittoServer::stop() {
  process_->signal(SIGTERM);
  if (process_->wait() != Exit{}) {
    throw std::runtime_error("mosquitto did not stop in good order; it said:\n" +
                             process_->output());
  }
}

void MosquittoServer::kill() {
  process_->kill();
  process_->wait();
}

}  // namespace triggerd::test
