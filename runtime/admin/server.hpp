// From sockets to requests, and back. All of it happens on one thread, "admin-http", with sockets
// that never block: a client costs memory, within these bounds, and nothing else. The times are
// those of ServerTimes.
//
//   connections      kConnections on TCP, and as many on the Unix socket. For one more, the one
//                    that has waited longest for the rest of its request is closed: a client that
//                    opens connections and sends nothing, or half a request, keeps nobody out.
//                    If all of them are being answered, there are kReserve more, for express
//                    requests only (health and metrics). For one more of these, the one that has
//                    waited longest for its request is closed; if none waits, the oldest.
//   a request        its line and headers: kHeaderBytes, within `header`
//                    its body: kBodyBytes, within `body`
//   a reply          has to be taken within `reply`
//   a stream         has to take something within `stream`; what does not fit is left out
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "admin/http.hpp"
#include "base/clock.hpp"
#include "base/file.hpp"
#include "base/log.hpp"
#include "base/result.hpp"

namespace triggerd::admin {

inline constexpr std::size_t kConnections = 128;
inline constexpr std::size_t kReserve = 32;
inline constexpr std::size_t kHeaderBytes = std::size_t{16} << 10;
inline constexpr std::size_t kBodyBytes = std::size_t{1} << 20;

// How long the server waits for clients. Tests use shorter times.
struct ServerTimes {
  Millis header{10'000};
  Millis body{20'000};
  Millis idle{60'000};  // between two requests on a connection
  Millis reply{30'000};
  Millis stream{60'000};
  Millis comment{15'000};  // a stream without events sends a comment this often
};

// What answers the requests.
class Application {
 public:
  virtual ~Application() = default;
  // Called before the body is read. Returns a reply if the request is refused. [admin-http]
  virtual std::optional<Reply> refuse(Request& request) = 0;
  // Whether the request is answered even if all connections are in use. Called after refuse().
  // [admin-http]
  virtual bool is_express(Request& request) = 0;
  // Answers by calling `done` once, on any thread; the caller does not wait for it. [admin-http]
  using Done = std::function<void(Reply)>;
  virtual void answer(Request request, Done done) = 0;
};

class Server {
 public:
  virtual ~Server() = default;
  // `application` and `log` outlive the server.
  static std::unique_ptr<Server> make(Application& application, Log& log,
                                      const ServerTimes& times = {});

  // Call these before start(). `host` is an address or a name of this machine.
  virtual Result<> listen_tcp(const std::string& host, std::uint16_t port) = 0;
  virtual Result<> listen_unix(UniqueFd listening) = 0;
  virtual void start() = 0;
  // Closes everything and ends the thread. A `done` that comes later does nothing.
  virtual void stop() = 0;

  virtual std::uint16_t port() const = 0;
  virtual bool listens_on_loopback() const = 0;
};

}  // namespace triggerd::admin
