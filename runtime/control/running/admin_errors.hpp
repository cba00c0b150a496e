// The errors that several of the interfaces of management/ answer with.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "base/result.hpp"
#include "config/config_fwd.hpp"
#include "config/place.hpp"
#include "management/errors.hpp"

namespace triggerd::control {

inline tl::unexpected<management::AdminError> refused_as(management::AdminError::Kind kind,
                                                         std::string message) {
  return tl::make_unexpected(management::AdminError{kind, std::move(message), {}});
}

inline tl::unexpected<management::AdminError> conflict(std::string message) {
  return refused_as(management::AdminError::Kind::conflict, std::move(message));
}

// It was tried, and did not work.
inline tl::unexpected<management::AdminError> failed(const Error& error) {
  return refused_as(management::AdminError::Kind::failed, error.message);
}

inline management::Outcome<> outcome_of(const Result<>& done) {
  if (done) return {};
  return failed(done.error());
}

// [admin] manage = false.
tl::unexpected<management::AdminError> may_not_manage();

// A configuration with these errors is refused.
tl::unexpected<management::AdminError> refused(const std::vector<config::Diagnostic>& diagnostics);

// "there is no alias "x"; defined: a, b".
tl::unexpected<management::AdminError> not_found(std::string_view what, std::string_view name,
                                                 const std::vector<std::string>& there);
// The same for an alias or a trigger of this configuration.
tl::unexpected<management::AdminError> no_alias(const config::Config& config,
                                                std::string_view name);
tl::unexpected<management::AdminError> no_trigger(const config::Config& config,
                                                  std::string_view name);

}  // namespace triggerd::control
