// Which handler answers a request.
#pragma once

#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "admin/http.hpp"

namespace triggerd::admin {

// Whom a handler makes wait: see workers.hpp.
enum class Lane {
  read,    // short, and the inbox
  change,  // its turn behind other changes
  wait,    // a server or a service, up to a bound
  health,  // short: it never waits for a disk
  metrics  // short, and the inbox's figures
};

struct Route {
  std::string method;
  std::string pattern;  // "/api/v1/aliases/{name}/test"
  Lane lane = Lane::read;
  Handler handler;
  bool open = false;  // for everybody: says less to those who may not look
  std::vector<std::string> segments = {};

  // Answered even where everything else waits.
  bool is_express() const { return lane == Lane::health || lane == Lane::metrics; }
  // Whatever is no GET changes something, or asks a server or a service with what is kept here.
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

  // The route, with `request.names` filled in; else the 404 or 405. HEAD finds what GET does. A
  // pattern that was added earlier is preferred.
  std::variant<const Route*, Reply> find(Request& request) const;
  const std::vector<Route>& routes() const { return routes_; }

 private:
  std::vector<Route> routes_;
};

}  // namespace triggerd::admin
