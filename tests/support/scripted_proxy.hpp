// ScriptedProxy: an HTTP (CONNECT) or SOCKS5 proxy on loopback, which looks names up, lets through
// and refuses as a test tells it to. What it lets through goes to the port of 127.0.0.1 that was
// asked for.
//
//   ScriptedProxy proxy({.kind = ScriptedProxy::Kind::socks5, .names = {"broker.nowhere"}});
#pragma once

#include <atomic>
#include <cstdint>
#include <list>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "base/file.hpp"
#include "base/mutex.hpp"
#include "support/port.hpp"

namespace triggerd::test {

enum class ProxyKind { http, socks5 };

struct ScriptedProxyOptions {
  ProxyKind kind = ProxyKind::http;
  // With one, nobody else gets through.
  std::string user_name = {};
  std::string password = {};
  // That it knows as this machine, beside "127.0.0.1".
  std::set<std::string> names = {};
  // Said to whoever has asked for a server, who is let through nowhere.
  std::string answer = {};
  // Says everything in pieces of one byte.
  bool byte_by_byte = false;
};

// Threads: one of its own for each connection; every function may be called from any other, start()
// and stop() from one at a time.
class ScriptedProxy {
 public:
  // What somebody wanted.
  struct Asked {
    std::string host;
    std::uint16_t port = 0;
    bool as_address = false;  // SOCKS5: not as a name
    std::string user_name;
    std::string password;
  };

  explicit ScriptedProxy(ScriptedProxyOptions options);
  ~ScriptedProxy();
  ScriptedProxy(const ScriptedProxy&) = delete;
  ScriptedProxy& operator=(const ScriptedProxy&) = delete;

  std::uint16_t port() const { return port_.number(); }
  // "http://127.0.0.1:3128", with USER[:PASSWORD]@ where there is one.
  std::string url(const std::string& login = {}) const;
  std::vector<Asked> asked() const;
  // Connections that have been let through.
  int let_through() const { return let_through_; }

  // Goes, with all connections, and comes again on the same port.
  void stop();
  void start();

 private:
  struct Connection {
    UniqueFd fd;
    UniqueFd server;
    std::thread thread;
    std::atomic<bool> ended{false};
  };

  void accept_all();
  void serve(Connection& connection);
  bool greet_http(int fd, Asked& asked) const;
  bool greet_socks(int fd, Asked& asked) const;
  std::string answer_to(const Asked& asked, bool found) const;
  bool say(int fd, const std::string& bytes) const;
  bool is_allowed(const Asked& asked) const;

  const ScriptedProxyOptions options_;
  const ReservedPort port_;
  std::atomic<bool> stopping_{false};
  std::atomic<int> let_through_{0};
  UniqueFd listener_;
  std::thread acceptor_;

  mutable Mutex mutex_;
  std::vector<Asked> asked_ TRIGGERD_GUARDED_BY(mutex_);
  std::list<Connection> open_ TRIGGERD_GUARDED_BY(mutex_);
};

}  // namespace triggerd::test
