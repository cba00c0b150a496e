// From sockets to requests, and back. All of it happens on one thread, "admin-http", with sockets
// that never block: a client costs memory, within these bounds, and nothing else.
//
//   connections      kConnections on TCP, and as many on the Unix socket. One more, and the one
//                    that has waited longest for the rest of its request has to go: whoever opens
//                    connections and says nothing, or half of it, keeps nobody out. Where all of
//                    them are being answered there are kReserve more, for express requests alone
//                    (health and metrics), of which the oldest goes for the next.
//   a request's line and headers: kHeaderBytes, in kHeaderTime; its body: kBodyBytes, in kBodyTime
//   a reply          has to be taken within kReplyTime
//   a stream         has to take something within kStreamTime; what does not fit is left out
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

// A test has less patience.
struct ServerTimes {
  Millis header{10'000};
  Millis body{20'000};
  Millis idle{60'000};  // between two requests of a connection
  Millis reply{30'000};
  Millis stream{60'000};
  Millis comment{15'000};  // a stream with nothing to say says that
};

// What answers.
class Application {
 public:
  virtual ~Application() = default;
  // Before the body is read: a reply where the request is refused. [admin-http]
  virtual std::optional<Reply> refuse(Request& request) = 0;
  // Whether it is answered even where all connections are in use. After refuse(). [admin-http]
  virtual bool is_express(Request& request) = 0;
  // `done` is called once, on any thread; the caller does not wait for it. [admin-http]
  using Done = std::function<void(Reply)>;
  virtual void answer(Request request, Done done) = 0;
};

class Server {
 public:
  virtual ~Server() = default;
  // `application` outlives it.
  static std::unique_ptr<Server> make(Application& application, Log& log,
                                      const ServerTimes& times = {});

  // Before start(). `host` is an address or a name of this machine.
  virtual Result<> listen_tcp(const std::string& host, std::uint16_t port) = 0;
  virtual Result<> listen_unix(UniqueFd listening) = 0;
  virtual void start() = 0;
  // Closes everything and ends the thread. A `done` that comes later does nothing.
  virtual void stop() = 0;

  virtual std::uint16_t port() const = 0;
  virtual bool listens_on_loopback() const = 0;
};

}  // namespace triggerd::admin
