// The JSON object in a request's body, read field by field: every field that is wrong, missing or
// unknown is told of, each by its name.
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
  // `required`: without a body, the request is refused; else that is an empty object.
  Body(const Request& request, bool required);
  ~Body();

  std::string text(const char* name, bool required = false);
  // nullopt: it is not there.
  std::optional<std::string> optional_text(const char* name);
  bool flag(const char* name);
  std::optional<std::int64_t> number(const char* name);  // 1 or more
  int qos(const char* name);                             // 1 where it is not there
  // Of `payload` and `payload_base64`; nullopt: neither.
  std::optional<std::string> payload();
  std::vector<std::string> texts(const char* name);
  std::vector<std::pair<std::string, std::string>> properties(const char* name);
  // A duration back from `now`, or a time.
  std::optional<Wall> moment(const char* name, Wall now);

  // Whatever nobody has asked for is unknown. A reply: something is wrong.
  std::optional<Reply> refused();
  // The whole, as it was sent.
  const nlohmann::json& whole() const { return *json_; }
  // For bodies whose fields somebody else reads.
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
