#include "control/running/admin_errors.hpp"

#include <fmt/format.h>

#include "config/config.hpp"

namespace triggerd::control {
namespace {

template <class T>
std::vector<std::string> names_of(const std::vector<T>& items) {
  std::vector<std::string> names;
  names.reserve(items.size());
  for (const T& item : items) names.push_back(item.name);
  return names;
}

}  // namespace

tl::unexpected<management::AdminError> may_not_manage() {
  return refused_as(
      management::AdminError::Kind::refused,
      "definitions cannot be changed at run time; to allow it, write manage = true in "
      "[admin] of the runtime's triggers.toml");
}

tl::unexpected<management::AdminError> refused(const std::vector<config::Diagnostic>& diagnostics) {
  management::AdminError error{
      management::AdminError::Kind::invalid,
      fmt::format("the configuration has {} error{}; the previous one stays active",
                  diagnostics.size(), diagnostics.size() == 1 ? "" : "s"),
      {}};
  for (const config::Diagnostic& found : diagnostics) {
    error.problems.push_back({.file = found.place.file,
                              .line = found.place.line,
                              .column = found.place.column,
                              .key = {},
                              .message = found.message});
  }
  return tl::make_unexpected(std::move(error));
}

tl::unexpected<management::AdminError> not_found(std::string_view what, std::string_view name,
                                                 const std::vector<std::string>& there) {
  return refused_as(
      management::AdminError::Kind::not_found,
      fmt::format("there is no {0} \"{1}\"; {2}", what, name,
                  there.empty() ? fmt::format("no {} is defined", what)
                                : fmt::format("defined: {}", fmt::join(there, ", "))));
}

tl::unexpected<management::AdminError> no_alias(const config::Config& config,
                                                std::string_view name) {
  return not_found("alias", name, names_of(config.aliases));
}

tl::unexpected<management::AdminError> no_trigger(const config::Config& config,
                                                  std::string_view name) {
  return not_found("trigger", name, names_of(config.triggers));
}

}  // namespace triggerd::control
