#include "admin/body.hpp"

#include <fmt/core.h>
#include <time.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "base/base64.hpp"
#include "base/json_depth.hpp"
#include "base/text.hpp"
#include "base/units.hpp"

namespace triggerd::admin {
namespace {

using nlohmann::json;

// Deeper than anything that is asked for, and far from where a parser's recursion would hurt.
constexpr std::size_t kMaxDepth = 64;

}  // namespace

std::optional<Wall> parse_moment(std::string_view text, Wall now) {
  if (const auto back = parse_duration(text)) return now - *back;
  const std::string whole(text);
  std::tm parts{};
  const char* rest = ::strptime(whole.c_str(), "%Y-%m-%dT%H:%M:%S", &parts);
  if (rest == nullptr) return std::nullopt;
  Millis fraction{0};
  if (*rest == '.') {
    ++rest;
    int scale = 100;
    while (*rest >= '0' && *rest <= '9') {
      fraction += Millis((*rest++ - '0') * scale);
      scale /= 10;
    }
  }
  if (std::string_view(rest) != "Z") return std::nullopt;
  return wall_of(parts) + fraction;
}

Body::Body(const Request& request, bool required) : json_(std::make_unique<json>(json::object())) {
  if (request.body.empty()) {
    if (required) refused_ = problem(400, "the request has no body; send a JSON object");
    return;
  }
  std::string_view type = request.header("content-type");
  type = type.substr(0, type.find(';'));
  while (!type.empty() && type.back() == ' ') type.remove_suffix(1);
  if (type != "application/json") {
    refused_ = problem(415, "send the body as application/json");
    return;
  }
  if (json_is_deeper_than(request.body, kMaxDepth)) {
    refused_ = problem(400, fmt::format("the body nests deeper than {} levels", kMaxDepth));
    return;
  }
  try {
    *json_ = json::parse(request.body);
  } catch (const json::exception& error) {
    refused_ = problem(400, fmt::format("the body is not valid JSON: {}", error.what()));
    return;
  }
  if (!json_->is_object()) refused_ = problem(400, "the body must be a JSON object");
  if (refused_) *json_ = json::object();
}

Body::~Body() = default;

void Body::wrong(const std::string& field, const std::string& message) {
  errors_.push_back({field, message});
}

const json* Body::find(const char* name) {
  known_.emplace_back(name);
  const auto found = json_->find(name);
  return found == json_->end() || found->is_null() ? nullptr : &*found;
}

std::optional<std::string> Body::optional_text(const char* name) {
  const json* value = find(name);
  if (value == nullptr) return std::nullopt;
  if (!value->is_string()) {
    wrong(name, "must be a string");
    return std::nullopt;
  }
  return value->get<std::string>();
}

std::string Body::text(const char* name, bool required) {
  const std::size_t before = errors_.size();
  auto value = optional_text(name);
  if (required && errors_.size() == before && (!value || value->empty()))
    wrong(name, "is required");
  return value ? std::move(*value) : std::string();
}

bool Body::flag(const char* name) {
  const json* value = find(name);
  if (value == nullptr) return false;
  if (!value->is_boolean()) wrong(name, "must be true or false");
  return value->is_boolean() && value->get<bool>();
}

std::optional<std::int64_t> Body::number(const char* name) {
  const json* value = find(name);
  if (value == nullptr) return std::nullopt;
  const bool good = value->is_number_unsigned() && value->get<std::uint64_t>() >= 1 &&
                    value->get<std::uint64_t>() <= INT64_MAX;
  if (good) return value->get<std::int64_t>();
  wrong(name, "must be a whole number, at least 1");
  return std::nullopt;
}

int Body::qos(const char* name) {
  const json* value = find(name);
  if (value == nullptr) return 1;
  // Not get<int>(): 4294967297 would be 1.
  if (!value->is_number_integer() || *value < 0 || *value > 2) {
    wrong(name, "must be 0, 1 or 2");
    return 1;
  }
  return value->get<int>();
}

std::optional<std::string> Body::payload() {
  auto text = optional_text("payload");
  const auto encoded = optional_text("payload_base64");
  if (!encoded) return text;
  if (text) {
    wrong("payload_base64", "payload and payload_base64 are mutually exclusive; send one of them");
    return text;
  }
  auto bytes = from_base64(*encoded);
  if (!bytes) wrong("payload_base64", "is not valid base64");
  return bytes;
}

std::vector<std::string> Body::texts(const char* name) {
  std::vector<std::string> list;
  const json* value = find(name);
  if (value == nullptr) return list;
  if (!value->is_array()) {
    wrong(name, "must be an array of strings");
    return list;
  }
  for (std::size_t i = 0; i < value->size(); ++i) {
    const json& element = (*value)[i];
    if (element.is_string()) {
      list.push_back(element.get<std::string>());
    } else {
      wrong(fmt::format("{}.{}", name, i), "must be a string");
    }
  }
  return list;
}

std::vector<std::pair<std::string, std::string>> Body::properties(const char* name) {
  std::vector<std::pair<std::string, std::string>> list;
  const json* value = find(name);
  if (value == nullptr) return list;
  if (!value->is_array()) {
    wrong(name, "must be an array of {\"name\", \"value\"}");
    return list;
  }
  for (std::size_t i = 0; i < value->size(); ++i) {
    const json& element = (*value)[i];
    if (element.is_object() && element.size() == 2 && element.contains("name") &&
        element.contains("value") && element["name"].is_string() && element["value"].is_string()) {
      list.emplace_back(element["name"].get<std::string>(), element["value"].get<std::string>());
    } else {
      wrong(fmt::format("{}.{}", name, i),
            "must be an object with a name and a value, both strings");
    }
  }
  return list;
}

std::optional<Wall> Body::moment(const char* name, Wall now) {
  const auto text = optional_text(name);
  if (!text) return std::nullopt;
  const auto at = parse_moment(*text, now);
  if (!at) wrong(name, "must be a duration (\"1h\") or a time (\"2026-01-31T12:00:00Z\")");
  return at;
}

std::optional<Reply> Body::refused() {
  if (refused_) return refused_;
  if (check_unknown_) {
    for (const auto& [name, value] : json_->items()) {
      if (std::find(known_.begin(), known_.end(), name) != known_.end()) continue;
      const std::vector<std::string_view> candidates(known_.begin(), known_.end());
      const std::string meant = closest(name, candidates);
      wrong(printable(name, 64),
            meant.empty() ? "there is no such field"
                          : fmt::format("there is no such field; did you mean \"{}\"?", meant));
    }
  }
  if (errors_.empty()) return std::nullopt;
  const std::string detail = errors_.size() == 1
                                 ? fmt::format("{}: {}", errors_[0].field, errors_[0].message)
                                 : fmt::format("{} fields are wrong", errors_.size());
  return problem(422, detail, errors_);
}

}  // namespace triggerd::admin
