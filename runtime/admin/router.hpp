// Which handler answers a request.
#pragma once

#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "admin/http.hpp"

namespace triggerd::admin {

// What a handler may wait for; each lane has its own threads (workers.hpp).
enum class Lane {
  read,    // the inbox, for a short time
  change,  // its turn behind other changes
  wait,    // a server or a service, for a limited time
  health,  // short: it never waits for a disk
  metrics  // the inbox's figures, for a short time
};

struct Route {
  std::string method;
  std::string pattern;  // "/api/v1/aliases/{name}/test"
  Lane lane = Lane::read;
  Handler handler;
  bool open = false;  // needs no rights, but says less to those who may not look
  std::vector<std::string> segments = {};

  // Whether it is answered even if everything else has to wait.
  bool is_express() const { return lane == Lane::health || lane == Lane::metrics; }
  // Everything but GET changes something, or asks a server or a service with what is stored here.
  May needs() const { return open ? May::nothing : method == "GET" ? May::look : May::change; }
};

// Thread-safe once its routes are added.
class Router {
 public:
  void add(Route route);
  void get(std::string pattern, Handler handler) {
    add({"GET", std::move(pattern), Lane::read, std::move(handler)});
  }
  void change(std::string method, std::string pattern, Handler handler) {
    add({std::move(method), std::move(pattern), Lane::change, std::move(handler)});
  }

  // The route, with `request.names` filled in, or else the 404 or 405 reply. HEAD finds the route
  // of GET. If several match, the one that was added first wins.
  std::variant<const Route*, Reply> find(Request& request) const;
  const std::vector<Route>& routes() const { return routes_; }

 private:
  std::vector<Route> routes_;
};

}  // namespace triggerd::admin
