// Errors as application/problem+json (RFC 9457): one place for what they are called.
#pragma once

#include <string>
#include <vector>

#include "admin/http.hpp"
#include "management/errors.hpp"

namespace triggerd::admin {

// One field that is wrong: its dotted name as in the body, empty for the whole.
struct FieldError {
  std::string field;
  std::string message;
  std::string place = {};  // FILE:LINE:COLUMN
};

// `status` has to be one that has a name here.
Reply problem(int status, const std::string& detail, const std::vector<FieldError>& errors = {});
Reply problem(const management::AdminError& error);

// Where the request itself is at fault: each with what is wrong and what to send.
Reply not_found(const Request& request);
Reply method_not_allowed(const Request& request, const std::string& allow);

}  // namespace triggerd::admin
