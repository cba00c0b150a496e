// Errors as application/problem+json (RFC 9457): the one place where they are named.
#pragma once

#include <string>
#include <vector>

#include "admin/http.hpp"
#include "management/errors.hpp"

namespace triggerd::admin {

// One field that is wrong: its dotted name as in the body; empty for the whole body.
struct FieldError {
  std::string field;
  std::string message;
  std::string place = {};  // FILE:LINE:COLUMN
};

// `status` has to be one that problem.cpp has a name for; any other is sent as 500.
Reply problem(int status, const std::string& detail, const std::vector<FieldError>& errors = {});
Reply problem(const management::AdminError& error);

// For requests that no route matches: they say what is wrong and what to send instead.
Reply not_found(const Request& request);
Reply method_not_allowed(const Request& request, const std::string& allow);

}  // namespace triggerd::admin
