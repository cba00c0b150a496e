// A server that is one process with three ports.
#pragma once

#include <csignal>
#include <functional>
#include <memory>
#include <string>

#include "servers/server.hpp"
#include "support/port.hpp"
#include "support/process.hpp"

namespace triggerd::test::servers {

class StandaloneServer : public Server {
 public:
  std::string version() const override { return version_; }
  std::uint16_t port() const override { return plain_.number(); }
  std::uint16_t tls_port() const override { return tls_.number(); }
  std::uint16_t mutual_port() const override { return mutual_.number(); }
  void restart() override;
  std::string output() const override { return process_->output(); }

 protected:
  // `version` is a regular expression whose group is the version, in what the server says; `end` is
  // the signal on which it ends in good order.
  StandaloneServer(std::string name, std::string version, int end = SIGTERM)
      : name_(std::move(name)), pattern_(std::move(version)), end_(end) {}
  virtual std::unique_ptr<Process> launch() = 0;
  void start();  // returns once a client can log in

  ReservedPort plain_, tls_, mutual_;
  TempDir dir_;

 private:
  bool answers() const;

  const std::string name_;
  const std::string pattern_;
  const int end_;
  std::string version_;
  std::unique_ptr<Process> process_;
};

}  // namespace triggerd::test::servers
