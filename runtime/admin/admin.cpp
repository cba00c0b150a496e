#include "admin/admin.hpp"

#include <exception>
#include <utility>

#include "admin/access.hpp"
#include "admin/api.hpp"
#include "admin/metrics.hpp"
#include "admin/server.hpp"
#include "admin/unix_socket.hpp"
#include "admin/workers.hpp"
#include "base/text.hpp"

namespace triggerd::admin {
namespace {

class RunningAdmin final : public Admin, private Application {
 public:
  RunningAdmin(const AdminOptions& options, const management::Management& runtime, Log& log)
      : log_(log),
        options_(options),
        access_({options.token, options.token_file}, {options.read_token, options.read_token_file},
                options.listen ? options.listen->host : std::string()),
        streamer_(runtime.events),
        server_(Server::make(*this, log)) {
    add_all_routes(router_, runtime, streamer_, *options_.clock);
  }
  ~RunningAdmin() override { (void)stop(); }

  Result<> listen() {
    if (options_.listen) {
      if (auto listens = server_->listen_tcp(options_.listen->host, options_.listen->port);
          !listens) {
        return listens;
      }
      if (options_.token.empty() && options_.read_token.empty() &&
          !server_->listens_on_loopback()) {
        return fail(
            "[admin] listen = \"{}\" accepts connections from other machines: write token_file, or "
            "listen on 127.0.0.1",
            to_string(*options_.listen));
      }
    }
    if (!options_.socket.empty()) {
      auto socket = UnixListener::listen(options_.socket);
      if (!socket) return tl::make_unexpected(socket.error());
      socket_.emplace(std::move(*socket));
      if (auto listens = server_->listen_unix(socket_->take()); !listens) return listens;
    }
    return {};
  }

  void serve() override {
    workers_.emplace();
    server_->start();
    if (options_.listen) {
      config::ListenAddress address = *options_.listen;
      address.port = port();
      log_.info("admin.listening", {{"address", to_string(address)}}, "http://{}/",
                to_string(address));
    }
    if (!options_.socket.empty()) {
      log_.info("admin.listening", {{"socket", options_.socket.string()}},
                "on a socket for its owner");
    }
  }

  std::uint16_t port() const override { return server_->port(); }

  bool stop() override {
    streamer_.stop();
    server_->stop();
    socket_.reset();
    return !workers_ || workers_->stop(system_clock().now() + options_.handlers_end);
  }

 private:
  // [admin-http]
  std::optional<Reply> refuse(Request& request) override {
    auto found = router_.find(request);
    const auto* const* route = std::get_if<const Route*>(&found);
    // Whether there is such a path is nobody's business who may not ask.
    const May needs = route != nullptr ? (*route)->needs() : May::look;
    if (auto refused = access_.refuse(request, needs)) {
      return hardened(std::move(*refused));
    }
    if (route == nullptr) return hardened(std::move(std::get<Reply>(found)));
    return std::nullopt;
  }

  // [admin-http]
  bool is_express(Request& request) override {
    const auto found = router_.find(request);
    const auto* const* route = std::get_if<const Route*>(&found);
    return route != nullptr && (*route)->is_express();
  }

  // [admin-http]
  void answer(Request request, Done done) override {
    const auto found = router_.find(request);
    const Route& route = *std::get<const Route*>(found);
    const bool accepted = workers_->run(
        route.lane,
        [this, &route, done, request = std::move(request)] { done(run(route, request)); });
    if (!accepted)
      done(hardened(problem(503, "too many requests are waiting already; try again later")));
  }

  // [worker]
  Reply run(const Route& route, const Request& request) {
    // What the standard library and the JSON library throw ends here.
    try {
      Reply reply = route.handler(request);
      if (route.method != "GET") {
        log_.debug("admin.request", {{"by", who(request)}}, "{} {}: {}", request.method,
                   printable(request.target), reply.status);
      }
      return hardened(std::move(reply));
    } catch (const std::exception& error) {
      log_.error("admin.failed", {}, "{} {}: {}", request.method, printable(request.target),
                 error.what());
      return hardened(problem(500, error.what()));
    }
  }

  // For browsers; everybody else does not mind.
  static Reply hardened(Reply reply) {
    reply.headers.emplace_back("X-Content-Type-Options", "nosniff");
    reply.headers.emplace_back("Referrer-Policy", "no-referrer");
    reply.headers.emplace_back("Cross-Origin-Resource-Policy", "same-origin");
    bool says_caching = false;
    for (const auto& [name, value] : reply.headers) says_caching |= name == "Cache-Control";
    if (!says_caching) reply.headers.emplace_back("Cache-Control", "no-store");
    return reply;
  }

  Log& log_;
  const AdminOptions options_;
  const Access access_;
  Router router_;
  std::optional<Workers> workers_;  // once it serves: a start has better things to do before
  EventStreamer streamer_;
  std::optional<UnixListener> socket_;
  std::unique_ptr<Server> server_;
};

}  // namespace

Result<std::unique_ptr<Admin>> Admin::open(const AdminOptions& options,
                                           const management::Management& runtime, Log& log) {
  auto admin = std::make_unique<RunningAdmin>(options, runtime, log);
  if (auto listens = admin->listen(); !listens) {
    return tl::make_unexpected(listens.error());
  }
  return admin;
}

Result<std::unique_ptr<Admin>> Admin::start(const AdminOptions& options,
                                            const management::Management& runtime, Log& log) {
  auto admin = open(options, runtime, log);
  if (admin) (*admin)->serve();
  return admin;
}

void add_all_routes(Router& router, const management::Management& runtime, EventStreamer& streamer,
                    const Clock& clock) {
  const management::StatusReader& status = runtime.status;
  add_status_routes(router, status, clock);
  add_state_routes(router, runtime.states, status, clock);
  add_definition_routes(router, runtime.definitions);
  add_test_run_routes(router, runtime.test_runs, status);
  add_plugin_routes(router, runtime.plugins);
  add_dead_letter_routes(router, runtime.dead_letters, clock);
  add_outbox_routes(router, runtime.outboxes);
  add_event_routes(router, streamer);
  router.add({"GET", "/metrics", Lane::metrics, [&status, &clock](const Request&) {
                return Reply{200, std::string(kMetricsType), metrics_text(status, clock.wall())};
              }});
  add_file_routes(router);
}

}  // namespace triggerd::admin
