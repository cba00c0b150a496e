// MosquittoServer: a real MQTT server of the test's own, on loopback, in a folder of its own.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "support/port.hpp"
#include "support/process.hpp"
#include "support/temp_dir.hpp"

namespace triggerd::test {

struct MosquittoOptions {
  // Names and passwords; with any, everybody else is refused.
  std::vector<std::pair<std::string, std::string>> users = {};
  // Sessions and retained messages survive stop(). kill() loses what autosave has not saved.
  bool persistence = false;
  bool websockets = false;  // listens for them too, on a port of their own
  // An address of this machine on whose port() it listens too, beside that of loopback.
  std::string also_on = {};
  // Lines for the end of the configuration; settings of a listener are those of the TCP one.
  std::string extra_config = {};
};

// It queues without limit for sessions that are away, so what is missing is not its doing.
//
// Threads: the test's own (see Process).
class MosquittoServer {
 public:
  // Starts it. Here as in start(): on return it answers a CONNECT; otherwise this throws, with what
  // it said.
  explicit MosquittoServer(const MosquittoOptions& options = {});

  // The same after every restart.
  std::uint16_t port() const { return port_.number(); }
  // With options.websockets only.
  std::uint16_t websocket_port() const { return websocket_port_->number(); }

  void stop();  // SIGTERM, and waits for the end
  void kill();  // SIGKILL
  void start();
  void restart() {
    stop();
    start();
  }

  // Since the last start; the server is running.
  Process& process() { return *process_; }
  // The lines of its log so far. Nothing that it logged before this call is missing: a client of
  // this function's own comes, and is waited for in the log. Throws where it does not get there.
  std::vector<OutputLine> log();
  // How often a client with this id has come.
  std::size_t connects(const std::string& client_id);
  const TempDir& dir() const { return dir_; }

 private:
  void write_config(const MosquittoOptions& options);
  void write_passwords(const MosquittoOptions& options);

  TempDir dir_;
  ReservedPort port_;
  std::optional<ReservedPort> websocket_port_;
  int markers_ = 0;  // clients of log()
  std::unique_ptr<Process> process_;
};

}  // namespace triggerd::test
