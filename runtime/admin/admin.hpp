// admin/: manages a runtime over HTTP. It sees the runtime only through the interfaces of
// management/.
//
//   admin.hpp         all of it, started and stopped
//   http.hpp          a request and a reply, as plain values
//   server.hpp        sockets to requests: the only file that knows the HTTP library is server.cpp
//   unix_socket.hpp   the socket in state_dir, and what may be replaced there
//   head.hpp          refuses bad request lines and headers before they are parsed
//   access.hpp        who may do what: tokens, users, Host, Origin
//   peer_user.hpp     which user is at the other end of a connection on loopback
//   router.hpp        which handler answers a request, and which workers run it
//   workers.hpp       the threads that handlers run on
//   api.hpp           the handlers of /api/v1, /healthz and /readyz; api_*.cpp
//   json.hpp          what management/ says as JSON; body.hpp: the JSON of requests, field by field
//   problem.hpp       errors as application/problem+json
//   metrics.hpp       /metrics
//   event_stream.hpp  one client's server-sent events; event_streamer.hpp: from the runtime to all
//   embedded.hpp      the console's files and openapi.yaml, which are in the binary
//
// Threads: "admin-http" owns all sockets and never blocks. Handlers run on a few workers (Workers),
// since what they call may wait for the inbox, for other changes or for a server. "admin-events"
// takes events from the runtime while somebody listens. All of them have a lower priority than the
// threads that handle messages, and hold no lock that those need for longer than management/ says.
//
// What users see is in docs/reference/: http-api.md, metrics.md and openapi.yaml.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>

#include "base/clock.hpp"
#include "base/log.hpp"
#include "base/result.hpp"
#include "config/admin_section.hpp"
#include "management/management.hpp"

namespace triggerd::admin {

struct AdminOptions {
  std::optional<config::ListenAddress> listen;
  std::filesystem::path socket;  // empty: none
  std::string token;             // empty: none
  std::string read_token;        // allows looking only; without either token, only loopback
  // The files that the tokens came from; each is read again when it has changed.
  std::filesystem::path token_file;
  std::filesystem::path read_token_file;
  const Clock* clock = &system_clock();  // outlives the Admin
  Millis handlers_end{1'000};            // what stop() gives to handlers that still run
};

class Admin {
 public:
  // Opens the port and the socket, but does not answer anybody yet. The error says what to change.
  // `log` and what `runtime` refers to have to outlive the Admin.
  static Result<std::unique_ptr<Admin>> open(const AdminOptions& options,
                                             const management::Management& runtime, Log& log);
  // open() and serve().
  static Result<std::unique_ptr<Admin>> start(const AdminOptions& options,
                                              const management::Management& runtime, Log& log);
  virtual ~Admin() = default;
  // Starts to answer, including clients that have connected since open(). Call it once.
  virtual void serve() = 0;

  // The port that `listen` got, which the kernel chose for port 0; 0 without TCP.
  virtual std::uint16_t port() const = 0;
  // Closes all connections and waits for handlers that still run, at most for `handlers_end`.
  // False: one of them has not returned, and only the end of the process ends it; then this object
  // must not be destroyed.
  [[nodiscard]] virtual bool stop() = 0;
};

}  // namespace triggerd::admin
