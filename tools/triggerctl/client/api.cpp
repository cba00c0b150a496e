#include "client/api.hpp"

#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "base/base64.hpp"
#include "base/text.hpp"
#include "command_line.hpp"

namespace triggerctl {
namespace {

using triggerd::Error;

// "FIELD: MESSAGE"; some messages name their field themselves.
std::string said_of(const Json& error) {
  const std::string field = text_of(error, "field");
  const std::string prefix = field.empty() ? "" : safe(field) + ": ";
  const std::string message = safe_lines(text_of(error, "message"));
  return message.starts_with(prefix) ? message : prefix + message;
}

Error problem_of(const Answer& answer, const Json& problem, const Endpoint& endpoint) {
  const std::string detail = safe_lines(text_of(problem, "detail", text_of(problem, "title")));
  std::string message = detail;
  for (const Json& each : list_of(problem, "errors")) {
    const std::string place = text_of(each, "place");
    const std::string said = said_of(each);
    if (place.empty() && said == detail) continue;
    message += fmt::format("\n  {}{}", place.empty() ? "" : safe(place) + ": ", said);
  }
  if (answer.status == 401 && endpoint.token.empty()) {
    message += "\n  give the token with --token-file FILE, or in the variable TRIGGERD_TOKEN";
  }
  const bool invalid = answer.status == 400 || answer.status == 422;
  return {std::move(message), invalid ? kUsage : kFailed};
}

}  // namespace

Result<Json> Api::read(const Answer& answer) const {
  if (answer.status == 204 || (answer.body.empty() && answer.status / 100 == 2)) {
    return Json::object();
  }
  Json json = Json::parse(answer.body, nullptr, false);
  if (answer.status / 100 == 2 && !json.is_discarded()) return json;
  if (json.is_object() && json.contains("detail")) {
    return tl::make_unexpected(problem_of(answer, json, endpoint()));
  }
  const std::string where = endpoint().socket.empty() ? endpoint().url : endpoint().socket.string();
  return tl::make_unexpected(
      Error{fmt::format("{} answers with status {} and a body that is not from a triggerd{}; is it "
                        "the address of a triggerd of this version?",
                        where, answer.status,
                        answer.body.empty() ? "" : ": " + shortened(answer.body, 80)),
            kFailed});
}

Result<Json> Api::get(const std::string& path) const {
  return ask("GET", path, nullptr);
}

Result<Json> Api::health() const {
  const auto answer = http_.send("GET", "/healthz");
  if (!answer) return tl::make_unexpected(answer.error());
  if (answer->status == 503) {
    Json json = Json::parse(answer->body, nullptr, false);
    if (json.is_object() && json.contains("status") && json["status"].is_string()) return json;
  }
  return read(*answer);
}

Result<Json> Api::post(const std::string& path) const {
  return ask("POST", path, nullptr);
}

Result<Json> Api::post(const std::string& path, const Json& body) const {
  return ask("POST", path, body);
}

Result<Json> Api::put(const std::string& path, const Json& body) const {
  return ask("PUT", path, body);
}

Result<Json> Api::remove(const std::string& path) const {
  return ask("DELETE", path, nullptr);
}

Result<Json> Api::ask(const std::string& method, const std::string& path, const Json& body) const {
  const std::string text =
      body.is_null() ? "" : body.dump(-1, ' ', false, Json::error_handler_t::replace);
  auto answer = http_.send(method, "/api/v1" + path, text);
  if (!answer) return tl::make_unexpected(answer.error());
  return read(*answer);
}

Result<> Api::events(const std::string& path, const std::function<bool(const Json&)>& on_event,
                     const std::stop_token& stop) const {
  bool wanted = true;
  const auto answer = http_.stream(
      "/api/v1" + path,
      [&](std::string_view data) {
        const Json event = Json::parse(data, nullptr, false);
        if (event.is_object()) wanted = on_event(event);
        return wanted;
      },
      stop);
  if (!answer) return tl::make_unexpected(answer.error());
  if (!wanted || stop.stop_requested()) return {};
  if (answer->status != 200) {
    const auto problem = read(*answer);
    if (!problem) return tl::make_unexpected(problem.error());
  }
  return tl::make_unexpected(Error{"triggerd has closed the event stream", kUnreachable});
}

std::string query(std::initializer_list<std::pair<const char*, std::string>> values) {
  std::string text;
  for (const auto& [key, value] : values) {
    if (value.empty()) continue;
    text += fmt::format("{}{}={}", text.empty() ? "?" : "&", key, triggerd::percent_encoded(value));
  }
  return text;
}

std::string text_of(const Json& object, const char* key, std::string otherwise) {
  const auto at = object.find(key);
  return at != object.end() && at->is_string() ? at->get<std::string>() : std::move(otherwise);
}

double number_of(const Json& object, const char* key, double otherwise) {
  const auto at = object.find(key);
  return at != object.end() && at->is_number() ? at->get<double>() : otherwise;
}

std::uint64_t count_of(const Json& object, const char* key) {
  const auto at = object.find(key);
  return at != object.end() && at->is_number_unsigned() ? at->get<std::uint64_t>() : 0;
}

bool flag_of(const Json& object, const char* key) {
  const auto at = object.find(key);
  return at != object.end() && at->is_boolean() && at->get<bool>();
}

const Json& list_of(const Json& object, const char* key) {
  static const Json none = Json::array();
  const auto at = object.find(key);
  return at != object.end() && at->is_array() ? *at : none;
}

std::string payload_of(const Json& object) {
  const std::string encoded = text_of(object, "payload_base64");
  if (encoded.empty()) return text_of(object, "payload");
  return triggerd::from_base64(encoded).value_or("");
}

void add_payload(Json& object, const std::string& bytes) {
  if (triggerd::is_utf8(bytes)) {
    object["payload"] = bytes;
  } else {
    object["payload_base64"] = triggerd::base64(bytes);
  }
}

}  // namespace triggerctl
