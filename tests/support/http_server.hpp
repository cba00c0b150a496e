// ScriptedHttpServer: the server's side of HTTP/1.1 on loopback or a Unix socket, which answers and
// fails as a test tells it to.
//
//   ScriptedHttpServer server;
//   server.answer([](const HttpRequest&) { return HttpAnswer().send(http(503, {}, "not now")); });
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <list>
#include <optional>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <variant>
#include <vector>

#include "base/clock.hpp"
#include "base/file.hpp"
#include "base/mutex.hpp"
#include "support/eventually.hpp"
#include "support/port.hpp"

namespace triggerd::test {

struct HttpRequest {
  std::size_t index = 0;       // among all requests, from 0
  std::size_t connection = 0;  // from 0, in the order of their arrival
  std::string method;
  std::string target;
  std::vector<std::pair<std::string, std::string>> headers;  // as they came
  std::string body;

  // The first of that name, whatever the case of its letters; empty where there is none.
  std::string header(std::string_view name) const;
  std::size_t count(std::string_view name) const;
};

// What happens on the connection after a request, step by step; then it waits for the next one.
class HttpAnswer {
 public:
  HttpAnswer& send(std::string bytes);
  HttpAnswer& wait(Millis time);
  // Ends the connection: in good order (FIN), or not (RST).
  HttpAnswer& close();
  HttpAnswer& reset();
  // Says nothing more and reads nothing more until the client goes.
  HttpAnswer& stall();
  // The same bytes again and again until the client goes.
  HttpAnswer& send_without_end(std::string bytes);

 private:
  friend class ScriptedHttpServer;
  struct Close {
    bool reset;
  };
  struct Stall {};
  struct Endless {
    std::string bytes;
  };
  std::vector<std::variant<std::string, Millis, Close, Stall, Endless>> steps_;
};

// A whole answer, with its Content-Length. `headers` are lines without their ends.
std::string http(int status, const std::vector<std::string>& headers = {},
                 std::string_view body = {});

// Called on a connection's thread, several at once.
using HttpHandler = std::function<HttpAnswer(const HttpRequest&)>;

// Threads: some of its own; every function may be called from any other, start() and stop() from
// one at a time.
class ScriptedHttpServer {
 public:
  ScriptedHttpServer();
  explicit ScriptedHttpServer(std::filesystem::path unix_socket);
  ~ScriptedHttpServer();
  ScriptedHttpServer(const ScriptedHttpServer&) = delete;
  ScriptedHttpServer& operator=(const ScriptedHttpServer&) = delete;

  std::uint16_t port() const { return port_.number(); }
  std::string url(std::string_view path = "/events") const;

  // Without a handler the answer is 204.
  void answer(HttpHandler handler);
  // The next `count` connections are closed as soon as they are there.
  void close_on_accept(std::size_t count) { closing_ = count; }

  // Goes, with all connections, and comes again on the same port.
  void stop();
  void start();

  std::vector<HttpRequest> requests() const;
  [[nodiscard]] bool wait_for_requests(std::size_t count, Millis timeout = kPatience);
  // How many there ever were, those that were closed at once too.
  std::size_t connections() const;
  // Waits until no client is connected any more.
  [[nodiscard]] bool wait_until_alone(Millis timeout = kPatience);

 private:
  struct Connection {
    UniqueFd fd;
    std::thread thread;
    std::atomic<bool> ended{false};
  };

  void accept_all();
  void serve(Connection& connection, std::size_t number);
  std::optional<HttpRequest> read_request(int fd, std::string& buffer) const;
  bool perform(int fd, const HttpAnswer& answer) const;

  const ReservedPort port_;
  const std::filesystem::path unix_socket_;
  std::atomic<bool> stopping_{false};
  std::atomic<std::size_t> closing_{0};

  UniqueFd listener_;
  std::thread acceptor_;

  mutable Mutex mutex_;
  CondVar changed_;
  HttpHandler handler_ TRIGGERD_GUARDED_BY(mutex_);
  std::vector<HttpRequest> requests_ TRIGGERD_GUARDED_BY(mutex_);
  std::size_t accepted_ TRIGGERD_GUARDED_BY(mutex_) = 0;
  std::list<Connection> open_ TRIGGERD_GUARDED_BY(mutex_);
};

}  // namespace triggerd::test
