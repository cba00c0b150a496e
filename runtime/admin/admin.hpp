// admin/: manages a runtime over HTTP. It sees the runtime through the interfaces of management/
// and nothing else of it.
//
//   admin.hpp         all of it, started and stopped
//   http.hpp          a request and a reply, as plain values
//   server.hpp        sockets to requests: the only file that knows the HTTP library is server.cpp
//   unix_socket.hpp   the socket in state_dir, and what may be replaced there
//   head.hpp          what is refused of a request's line and headers before they are parsed
//   access.hpp        who may do what: tokens, users, Host, Origin
//   peer_user.hpp     whose process is at the other end of a connection on loopback
//   router.hpp        which handler answers what, and which of the workers runs it
//   workers.hpp       the threads that handlers run on
//   api.hpp           the handlers of /api/v1, /healthz and /readyz; api_*.cpp
//   json.hpp          what management/ says as JSON; body.hpp: the JSON of requests, field by field
//   problem.hpp       errors as application/problem+json
//   metrics.hpp       /metrics
//   event_stream.hpp  one client's server-sent events; event_streamer.hpp: from the runtime to all
//   embedded.hpp      the console's files and openapi.yaml, which are in the binary
//
// Threads: "admin-http" has all sockets and never blocks. Handlers run on a few workers (Workers),
// since what they call may wait for the inbox, for other changes or for a server. "admin-events"
// takes events from the runtime while somebody listens. All of them are nicer than the threads that
// handle messages, and none holds a lock of those for longer than management/ says.
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
  std::string read_token;        // who has it may look; with neither, `listen` has to be loopback
  // Where they came from: read again when that has changed.
  std::filesystem::path token_file;
  std::filesystem::path read_token_file;
  const Clock* clock = &system_clock();  // outlives it
};

class Admin {
 public:
  // Has its port and its socket from here on, and answers nobody yet. The error says what to
  // change. What `runtime` refers to and `log` outlive it.
  static Result<std::unique_ptr<Admin>> open(const AdminOptions& options,
                                             const management::Management& runtime, Log& log);
  // open() and serve().
  static Result<std::unique_ptr<Admin>> start(const AdminOptions& options,
                                              const management::Management& runtime, Log& log);
  virtual ~Admin() = default;
  // Answers, those too who have come meanwhile. Once.
  virtual void serve() = 0;

  // The port that `listen` got, which the kernel chose for port 0; 0 without TCP.
  virtual std::uint16_t port() const = 0;
  // Closes all connections and waits for requests in work, for a second. False: one has not come
  // back, and only the end of the process ends it; then this object must not be destroyed.
  [[nodiscard]] virtual bool stop() = 0;
};

}  // namespace triggerd::admin
