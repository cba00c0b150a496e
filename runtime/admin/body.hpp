// The JSON object in a request's body, read field by field: every field that is wrong, missing or
// unknown is reported by its name.
#pragma once

#include <memory>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "admin/http.hpp"
#include "admin/problem.hpp"
#include "base/clock.hpp"

namespace triggerd::admin {

class Body {
 public:
  // `required`: a request without a body is refused; if false, no body counts as an empty object.
  Body(const Request& request, bool required);
  ~Body();

  std::string text(const char* name, bool required = false);
  // nullopt: it is missing, null or wrong.
  std::optional<std::string> optional_text(const char* name);
  bool flag(const char* name);
  std::optional<std::int64_t> number(const char* name);  // 1 or more
  int qos(const char* name);                             // 1 if it is missing
  // From `payload` or `payload_base64`; nullopt: there is neither, or it is wrong.
  std::optional<std::string> payload();
  std::vector<std::string> texts(const char* name);
  std::vector<std::pair<std::string, std::string>> properties(const char* name);
  // A time, or a duration, which is counted back from `now`.
  std::optional<Wall> moment(const char* name, Wall now);

  // Call it last: every field that has not been read by then is unknown. Returns the reply that
  // refuses the request if anything is wrong.
  std::optional<Reply> refused();
  // The whole object, as it was sent.
  const nlohmann::json& whole() const { return *json_; }
  // Accepts unknown fields, for bodies whose fields are read elsewhere.
  void all_known() { check_unknown_ = false; }

 private:
  const nlohmann::json* find(const char* name);
  void wrong(const std::string& field, const std::string& message);

  std::unique_ptr<nlohmann::json> json_;
  std::optional<Reply> refused_;
  bool check_unknown_ = true;
  std::vector<std::string> known_;
  std::vector<FieldError> errors_;
};

// "1h" back from `now`, or an RFC 3339 time.
std::optional<Wall> parse_moment(std::string_view text, Wall now);

}  // namespace triggerd::admin
