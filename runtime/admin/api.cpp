#include "admin/api.hpp"

#include <fmt/core.h>

#include <algorithm>
#include <charconv>
#include <nlohmann/json.hpp>

#include "admin/body.hpp"
#include "base/text.hpp"

namespace triggerd::admin {
namespace {

// The most payload bytes that one page of messages has.
constexpr std::size_t kPageBytes = std::size_t{4} << 20;

}  // namespace

management::Actor who(const Request& request) {
  const std::string_view said = request.header("x-triggerd-by");
  return fmt::format("{} ({})", said.empty() ? "http" : printable(said, 64), request.peer);
}

management::DefinitionText definition_of(const Request& request, std::string json) {
  return {.format = management::DefinitionText::Format::json,
          .text = std::move(json),
          .confined = request.via != Via::unix_socket};
}

Reply json_reply(const Json& json, int status) {
  return {status, "application/json", dump(json)};
}

Reply done() {
  return {204, "", ""};
}

bool flag_parameter(const Request& request, const char* name, std::vector<FieldError>& errors) {
  const std::string* value = request.parameter(name);
  if (value == nullptr || *value == "false") return false;
  if (*value != "true" && !value->empty()) errors.push_back({name, "must be true or false"});
  return true;
}

std::optional<std::int64_t> number_parameter(const Request& request, const char* name,
                                             std::int64_t least, std::int64_t most,
                                             std::vector<FieldError>& errors) {
  const std::string* value = request.parameter(name);
  if (value == nullptr) return std::nullopt;
  std::int64_t number = 0;
  const auto [end, error] = std::from_chars(value->data(), value->data() + value->size(), number);
  if (error != std::errc() || end != value->data() + value->size() || number < least ||
      number > most) {
    errors.push_back({name, fmt::format("must be a number from {} to {}", least, most)});
    return std::nullopt;
  }
  return number;
}

PageSize page_size_parameters(const Request& request, std::int64_t most_bytes,
                              std::vector<FieldError>& errors) {
  const auto limit = number_parameter(request, "limit", 1, 1'000, errors);
  const auto bytes = number_parameter(request, "payload_bytes", 0, most_bytes, errors);
  const auto payload_bytes = static_cast<std::size_t>(bytes.value_or(256));
  const std::size_t fit = kPageBytes / std::max<std::size_t>(payload_bytes, 1);
  return {
      .messages = std::clamp<std::size_t>(fit, 1, static_cast<std::size_t>(limit.value_or(100))),
      .payload_bytes = payload_bytes};
}

std::optional<Wall> moment_parameter(const Request& request, const char* name, Wall now,
                                     std::vector<FieldError>& errors) {
  const std::string* value = request.parameter(name);
  if (value == nullptr || value->empty()) return std::nullopt;
  const auto at = parse_moment(*value, now);
  if (!at) {
    errors.push_back({name, "must be a duration (\"1h\") or a time (\"2026-01-31T12:00:00Z\")"});
  }
  return at;
}

std::string text_parameter(const Request& request, const char* name) {
  const std::string* value = request.parameter(name);
  return value == nullptr ? std::string() : *value;
}

Reply bad_parameters(const std::vector<FieldError>& errors) {
  return problem(400, fmt::format("{}: {}", errors.front().field, errors.front().message), errors);
}

}  // namespace triggerd::admin
