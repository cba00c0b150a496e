#include "admin/problem.hpp"

#include <fmt/core.h>

#include <nlohmann/json.hpp>

#include "base/text.hpp"

namespace triggerd::admin {
namespace {

struct Name {
  int status;
  const char* type;
  const char* title;
};

constexpr Name kNames[] = {
    {400, "malformed", "Malformed request"},
    {401, "unauthorized", "Token required"},
    {403, "forbidden", "Not allowed"},
    {404, "not-found", "Not found"},
    {405, "method", "Method not allowed"},
    {408, "too-slow", "Request timed out"},
    {409, "conflict", "Conflict"},
    {413, "too-large", "Body too large"},
    {415, "not-json", "Body is not JSON"},
    {422, "invalid", "Invalid request"},
    {431, "headers-too-large", "Headers too large"},
    {500, "failed", "Internal error"},
    {503, "unavailable", "Unavailable"},
};

const Name& name_of(int status) {
  for (const Name& name : kNames) {
    if (name.status == status) return name;
  }
  return kNames[11];
}

int status_of(management::AdminError::Kind kind) {
  switch (kind) {
    case management::AdminError::Kind::invalid:
      return 422;
    case management::AdminError::Kind::not_found:
      return 404;
    case management::AdminError::Kind::conflict:
      return 409;
    case management::AdminError::Kind::refused:
      return 403;
    case management::AdminError::Kind::unavailable:
      return 503;
    case management::AdminError::Kind::failed:
      break;
  }
  return 500;
}

}  // namespace

Reply problem(int status, const std::string& detail, const std::vector<FieldError>& errors) {
  const Name& name = name_of(status);
  nlohmann::ordered_json body = {{"type", fmt::format("urn:triggerd:{}", name.type)},
                                 {"title", name.title},
                                 {"status", name.status},
                                 {"detail", detail}};
  for (const FieldError& error : errors) {
    nlohmann::ordered_json entry = {{"field", error.field}, {"message", error.message}};
    if (!error.place.empty()) entry["place"] = error.place;
    body["errors"].push_back(std::move(entry));
  }
  Reply reply{name.status, "application/problem+json",
              body.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace)};
  if (status == 401) reply.headers.emplace_back("WWW-Authenticate", "Bearer realm=\"triggerd\"");
  if (status == 503) reply.headers.emplace_back("Retry-After", "1");
  return reply;
}

Reply problem(const management::AdminError& error) {
  std::vector<FieldError> fields;
  fields.reserve(error.problems.size());
  for (const management::AdminProblem& at : error.problems) {
    std::string place = at.file;
    if (!place.empty() && at.line > 0) place += fmt::format(":{}:{}", at.line, at.column);
    fields.push_back({at.key, at.message, std::move(place)});
  }
  return problem(status_of(error.kind), error.message, fields);
}

Reply not_found(const Request& request) {
  return problem(404, fmt::format("there is no resource at {}; docs/reference/openapi.yaml, also "
                                  "at /api/v1/openapi.yaml, lists them",
                                  printable(request.target)));
}

Reply method_not_allowed(const Request& request, const std::string& allow) {
  Reply reply =
      problem(405, fmt::format("{} does not support {}; it supports {}", printable(request.target),
                               printable(request.method, 32), allow));
  reply.headers.emplace_back("Allow", allow);
  return reply;
}

}  // namespace triggerd::admin
