#include "admin/router.hpp"

#include "admin/problem.hpp"

namespace triggerd::admin {
namespace {

bool is_name(const std::string& segment) {
  return segment.size() > 2 && segment.front() == '{' && segment.back() == '}';
}

bool matches(const Route& route, const std::vector<std::string>& path,
             std::vector<std::string>& names) {
  if (route.segments.size() != path.size()) return false;
  names.clear();
  for (std::size_t i = 0; i < path.size(); ++i) {
    if (is_name(route.segments[i])) {
      if (path[i].empty()) return false;
      names.push_back(path[i]);
    } else if (route.segments[i] != path[i]) {
      return false;
    }
  }
  return true;
}

}  // namespace

void Router::add(Route route) {
  std::string_view rest = std::string_view(route.pattern).substr(1);
  for (;;) {
    const std::size_t slash = rest.find('/');
    route.segments.emplace_back(rest.substr(0, slash));
    if (slash == std::string_view::npos) break;
    rest.remove_prefix(slash + 1);
  }
  routes_.push_back(std::move(route));
}

std::variant<const Route*, Reply> Router::find(Request& request) const {
  const std::string_view method =
      request.method == "HEAD" ? std::string_view("GET") : std::string_view(request.method);
  std::string allow;
  std::vector<std::string> names;
  for (const Route& route : routes_) {
    if (!matches(route, request.path, names)) continue;
    if (route.method == method) {
      request.names = std::move(names);
      return &route;
    }
    if (!allow.empty()) allow += ", ";
    allow += route.method;
    if (route.method == "GET") allow += ", HEAD";
  }
  if (!allow.empty()) return method_not_allowed(request, allow);
  return not_found(request);
}

}  // namespace triggerd::admin
