// The fake server: one thread that accepts, answers and sends, and the run that it measures.
#pragma once

#include <cstdint>
#include <memory>
#include <random>
#include <string>
#include <unordered_map>
#include <vector>

#include "broker/connection.hpp"
#include "broker/options.hpp"
#include "broker/publishes.hpp"
#include "broker/wire.hpp"

namespace bench {

class Server {
 public:
  // Throws std::runtime_error where it cannot listen.
  explicit Server(const Options& options);
  ~Server();
  Server(const Server&) = delete;
  Server& operator=(const Server&) = delete;

  std::uint16_t port() const { return port_; }
  // Runs to the end; its result as one line of JSON. Throws std::runtime_error where there is none:
  // nobody subscribed, a subscriber has gone, a client broke the protocol.
  std::string run();

 private:
  enum class Phase : std::uint8_t { waiting, backlog, warming, measuring, done };
  struct Snapshot {
    std::uint64_t at_ns = 0;
    std::uint64_t messages = 0;
    double cpu_seconds = 0;
  };

  void watch(int fd, std::uint32_t events);
  void accept_all();
  void serve(int fd, std::uint32_t events);
  void watch_writing(Connection& connection);
  void advance(std::uint64_t now);
  void enter(Phase phase, std::uint64_t now);
  void send_until(std::uint64_t limit);
  void send_due(std::uint64_t now);
  void arm_timer(std::uint64_t at_ns);
  double gap_ns();
  int timeout_ms(std::uint64_t now) const;
  std::vector<Connection*> subscribers() const;
  Snapshot snapshot(std::uint64_t now) const;
  std::string result() const;

  const Options options_;
  const TlsContext tls_;
  const Publishes publishes_;
  int listener_ = -1;
  int epoll_ = -1;
  int timer_ = -1;
  std::uint16_t port_ = 0;

  struct Client {
    std::unique_ptr<Connection> connection;
    bool watches_writing = false;
  };
  std::unordered_map<int, Client> clients_;

  Phase phase_ = Phase::waiting;
  std::uint64_t phase_ends_ = 0;
  std::uint64_t backlog_began_ = 0;
  std::uint64_t backlog_ended_ = 0;
  Snapshot begin_;
  Snapshot end_;

  double due_ns_ = 0;  // when the next message of a paced run is
  std::size_t turn_ = 0;
  std::mt19937 random_{7};
};

}  // namespace bench
