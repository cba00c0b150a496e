// The API of docs/reference/openapi.yaml, as JSON in and out.
#pragma once

#include <cstdint>
#include <functional>
#include <initializer_list>
#include <stop_token>
#include <string>
#include <utility>

#include "base/result.hpp"
#include "client/http.hpp"
#include "output.hpp"

namespace triggerctl {

using triggerd::Result;

// Errors are for the user, and their code is the exit code. Any thread.
class Api {
 public:
  explicit Api(Endpoint endpoint) : http_(std::move(endpoint)) {}
  const Endpoint& endpoint() const { return http_.endpoint(); }

  // `path` is what follows /api/v1. An empty object if the answer has no body.
  Result<Json> get(const std::string& path) const;
  // What /healthz says, healthy or not: "status", and "reasons" if it is not "ok".
  Result<Json> health() const;
  Result<Json> post(const std::string& path) const;
  Result<Json> post(const std::string& path, const Json& body) const;
  Result<Json> put(const std::string& path, const Json& body) const;
  Result<Json> remove(const std::string& path) const;

  // Runs until `on_event` returns false or `stop` is requested. It is an error if the stream ends
  // before that.
  Result<> events(const std::string& path, const std::function<bool(const Json&)>& on_event,
                  const std::stop_token& stop = {}) const;

 private:
  Result<Json> ask(const std::string& method, const std::string& path, const Json& body) const;
  Result<Json> read(const Answer& answer) const;

  const Http http_;
};

// "?a=b&c=d" of those that have a value.
std::string query(std::initializer_list<std::pair<const char*, std::string>> values);

// A member of an answer, or the default if it is missing.
std::string text_of(const Json& object, const char* key, std::string otherwise = "");
double number_of(const Json& object, const char* key, double otherwise = 0);
std::uint64_t count_of(const Json& object, const char* key);
bool flag_of(const Json& object, const char* key);
// An empty array if there is none.
const Json& list_of(const Json& object, const char* key);
// Its payload's bytes: `payload`, or `payload_base64` decoded.
std::string payload_of(const Json& object);
// Adds `payload`, or `payload_base64` if it is not UTF-8.
void add_payload(Json& object, const std::string& bytes);

}  // namespace triggerctl
