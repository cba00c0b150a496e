#include "protocol.hpp"

#include <array>
#include <limits>
#include <nlohmann/json.hpp>
#include <stdexcept>

#include "base/base64.hpp"
#include "base/json_depth.hpp"
#include "common/utf8.hpp"

namespace exec_plugin {
namespace {

using nlohmann::json;
using plugin_common::is_utf8;
using trigger::Level;
using trigger::Verdict;

std::string dumped(const json& value) {
  return value.dump(-1, ' ', false, json::error_handler_t::replace);
}

json properties_of(const trigger::Message& message) {
  json out = json::object();
  json user = json::array();
  for (std::size_t i = 0; i < message.property_count(); ++i) {
    const trigger_property& property = message.properties()[i];
    const std::string_view value = trigger::detail::view(property.value);
    switch (property.id) {
      case TRIGGER_PROPERTY_PAYLOAD_FORMAT:
        out["payload_format"] = property.number;
        break;
      case TRIGGER_PROPERTY_MESSAGE_EXPIRY:
        out["message_expiry"] = property.number;
        break;
      case TRIGGER_PROPERTY_CONTENT_TYPE:
        out["content_type"] = value;
        break;
      case TRIGGER_PROPERTY_RESPONSE_TOPIC:
        out["response_topic"] = value;
        break;
      case TRIGGER_PROPERTY_CORRELATION_DATA:
        out["correlation_data_base64"] = triggerd::base64(value);
        break;
      case TRIGGER_PROPERTY_USER:
        user.push_back({trigger::detail::view(property.name), value});
        break;
      default:
        break;
    }
  }
  if (!user.empty()) out["user"] = std::move(user);
  return out;
}

const char* name_of(std::int32_t code) {
  switch (code) {
    case TRIGGER_E_INVALID:
      return "invalid";
    case TRIGGER_E_FULL:
      return "full";
    case TRIGGER_E_NOT_CONNECTED:
      return "not_connected";
    case TRIGGER_E_NOT_FOUND:
      return "not_found";
    case TRIGGER_E_STATE:
      return "state";
    case TRIGGER_E_CANCELLED:
      return "cancelled";
    case TRIGGER_E_UNSUPPORTED:
      return "unsupported";
    default:
      return "failed";
  }
}

// ---- Reading ----

// A line is not what it should be.
class Problem : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

// The members of an object, each asked for by its name and its type.
class Members {
 public:
  explicit Members(const json& object) : object_(object) {}

  std::optional<std::string> text(const char* name) const {
    const json* value = find(name);
    if (value == nullptr) return std::nullopt;
    if (!value->is_string()) throw Problem(std::string(name) + " is not a string");
    return value->get<std::string>();
  }
  std::string needed_text(const char* name) const {
    auto value = text(name);
    if (!value) throw Problem(std::string(name) + " is missing");
    return std::move(*value);
  }
  std::optional<std::uint64_t> whole(const char* name, std::uint64_t most) const {
    const json* value = find(name);
    if (value == nullptr) return std::nullopt;
    if (!value->is_number_unsigned() || value->get<std::uint64_t>() > most) {
      throw Problem(std::string(name) + " is not a whole number from 0 to " + std::to_string(most));
    }
    return value->get<std::uint64_t>();
  }
  bool boolean(const char* name) const {
    const json* value = find(name);
    if (value == nullptr) return false;
    if (!value->is_boolean()) throw Problem(std::string(name) + " is not true or false");
    return value->get<bool>();
  }
  double number(const char* name) const {
    const json* value = find(name);
    if (value == nullptr || !value->is_number()) {
      throw Problem(std::string(name) + " is not a number");
    }
    return value->get<double>();
  }
  std::optional<std::string> base64(const char* name) const {
    const auto value = text(name);
    if (!value) return std::nullopt;
    auto bytes = triggerd::from_base64(*value);
    if (!bytes) throw Problem(std::string(name) + " is not base64");
    return bytes;
  }
  // nullptr: absent, or null.
  const json* find(const char* name) const {
    const auto found = object_.find(name);
    return found == object_.end() || found->is_null() ? nullptr : &*found;
  }

 private:
  const json& object_;
};

constexpr std::uint64_t most_ms = std::numeric_limits<std::uint32_t>::max();

void read_properties(const json& object, Publication& out) {
  if (!object.is_object()) throw Problem("properties is not an object");
  const Members members(object);
  out.is_text = members.whole("payload_format", 1).value_or(0) == 1;
  if (const auto expiry = members.whole("message_expiry", most_ms)) {
    out.expiry = static_cast<std::uint32_t>(*expiry);
  }
  out.content_type = members.text("content_type");
  out.response_topic = members.text("response_topic");
  out.correlation = members.base64("correlation_data_base64");
  const json* user = members.find("user");
  if (user == nullptr) return;
  const auto is_pair = [](const json& pair) {
    return pair.is_array() && pair.size() == 2 && pair[0].is_string() && pair[1].is_string();
  };
  if (!user->is_array()) throw Problem("properties.user is not a list");
  for (const json& pair : *user) {
    if (!is_pair(pair)) throw Problem("an element of properties.user is not a pair of strings");
    out.user.push_back({pair[0].get<std::string>(), pair[1].get<std::string>()});
  }
}

Publication publication_of(const json& object) {
  if (!object.is_object()) throw Problem("an element of publish is not an object");
  const Members members(object);
  Publication out;
  out.topic = members.needed_text("topic");
  auto text = members.text("payload");
  auto bytes = members.base64("payload_base64");
  if (text && bytes) throw Problem("there is a payload and a payload_base64");
  out.payload = text ? std::move(*text) : std::move(bytes).value_or(std::string());
  out.qos = static_cast<int>(members.whole("qos", 2).value_or(1));
  out.retain = members.boolean("retain");
  out.alias = members.text("alias").value_or(std::string());
  if (const json* properties = members.find("properties")) read_properties(*properties, out);
  return out;
}

Verdict verdict_of(const Members& members) {
  const std::string word = members.needed_text("verdict");
  std::string reason = members.text("reason").value_or(std::string());
  const std::chrono::milliseconds after(members.whole("retry_after_ms", most_ms).value_or(0));
  if (word == "ok") return Verdict::ok();
  if (word == "retry") return Verdict::retry(after, std::move(reason));
  if (word == "reject") return Verdict::reject(std::move(reason));
  if (word == "unavailable") return Verdict::unavailable(after, std::move(reason));
  throw Problem("verdict is not ok, retry, reject or unavailable");
}

Answer answer_of(const Members& members) {
  Answer out{members.text("token"), verdict_of(members)};
  const json* publish = members.find("publish");
  if (publish == nullptr) return out;
  if (!publish->is_array()) throw Problem("publish is not a list");
  if (out.verdict.code() != TRIGGER_OK) throw Problem("publish is only possible with ok");
  for (const json& one : *publish) out.publish.push_back(publication_of(one));
  return out;
}

Level level_of(const Members& members) {
  constexpr std::array<std::pair<std::string_view, Level>, 5> levels{{{"trace", Level::trace},
                                                                      {"debug", Level::debug},
                                                                      {"info", Level::info},
                                                                      {"warn", Level::warn},
                                                                      {"error", Level::error}}};
  const std::string word = members.text("level").value_or("info");
  for (const auto& [name, level] : levels) {
    if (name == word) return level;
  }
  throw Problem("level is not trace, debug, info, warn or error");
}

Measurement measurement_of(const Members& members) {
  const std::string kind = members.needed_text("kind");
  if (kind != "counter" && kind != "gauge") throw Problem("kind is not counter or gauge");
  return {members.needed_text("name"), kind == "counter",
          members.text("help").value_or(std::string()), members.number("add")};
}

constexpr std::size_t deepest_line = 100;
constexpr std::size_t most_values = 1'000'000;

// Counts what stands between values, outside of strings.
bool has_more_values_than(std::string_view text, std::size_t limit) {
  std::size_t count = 0;
  bool in_string = false;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (in_string && c == '\\') ++i;
    if (c == '"') in_string = !in_string;
    if (!in_string && (c == ',' || c == '[' || c == '{') && ++count > limit) return true;
  }
  return false;
}

// Of a verdict in which something else is wrong.
std::optional<std::string> token_of(const json& object) {
  const auto is = [&object](const char* name, const char* text) {
    const auto found = object.find(name);
    return found != object.end() && found->is_string() && *found == text;
  };
  const auto token = object.find("token");
  if (!is("type", "verdict") || token == object.end() || !token->is_string()) return std::nullopt;
  return token->get<std::string>();
}

Said read_object(const json& object) {
  const Members members(object);
  const std::string type = members.needed_text("type");
  if (type == "verdict") return answer_of(members);
  if (type == "log") return LogText{level_of(members), members.needed_text("text")};
  if (type == "publish") {
    Publication out = publication_of(object);
    out.id = members.text("id");
    return out;
  }
  if (type == "metric") return measurement_of(members);
  if (type == "extend") {
    const auto ms = members.whole("ms", most_ms);
    if (!ms) throw Problem("ms is missing");
    return Extension{members.needed_text("token"), std::chrono::milliseconds(*ms)};
  }
  if (type == "ready") {
    return Ready{members.text("name").value_or(std::string()),
                 members.text("version").value_or(std::string())};
  }
  throw Problem("type is unknown");
}

}  // namespace

std::string start_line(const Settings& settings, const trigger::Context& context,
                       std::size_t process) {
  const json line{
      {"type", "start"},          {"protocol", 1},      {"trigger", context.trigger()},
      {"alias", context.alias()}, {"process", process}, {"in_flight", settings.in_flight}};
  std::string out = dumped(line);
  out.pop_back();
  // As it is, so that no number changes.
  return out + ",\"settings\":" + settings.service + "}\n";
}

std::string stop_line() {
  return "{\"type\":\"stop\"}\n";
}

std::string expired_line(const std::string& token) {
  return dumped({{"type", "expired"}, {"token", token}}) + "\n";
}

std::string published_line(const std::string& id, std::int32_t code, std::string_view reason) {
  json line{{"type", "published"}, {"id", id}, {"ok", code == TRIGGER_OK}};
  if (code != TRIGGER_OK) {
    line["error"] = name_of(code);
    line["reason"] = reason.empty() ? trigger::describe(code) : reason;
  }
  return dumped(line) + "\n";
}

std::string opened_message(const trigger::Message& message, bool always_base64) {
  using std::chrono::duration_cast;
  using std::chrono::milliseconds;
  json line{
      {"type", "message"},
      {"token", std::to_string(message.raw().token)},
      {"id", message.id()},
      {"topic", message.topic()},
      {"qos", message.qos()},
      {"retained", message.retained()},
      {"duplicate", message.duplicate()},
      {"attempt", message.attempt()},
      {"received", duration_cast<milliseconds>(message.received().time_since_epoch()).count()}};
  if (always_base64 || !is_utf8(message.payload())) {
    line["payload_base64"] = triggerd::base64(message.payload());
  } else {
    line["payload"] = message.payload();
  }
  if (message.mqtt5()) line["properties"] = properties_of(message);
  std::string out = dumped(line);
  out.pop_back();
  return out;
}

std::string closed_message(std::string opened, std::chrono::milliseconds left) {
  return std::move(opened) + ",\"timeout_ms\":" + std::to_string(left.count()) + "}";
}

std::string messages_line(std::vector<std::string> closed) {
  if (closed.size() == 1) return std::move(closed.front()) + "\n";
  std::string out = "{\"type\":\"batch\",\"messages\":[";
  for (std::size_t i = 0; i < closed.size(); ++i) {
    if (i > 0) out += ',';
    out += closed[i];
  }
  return out + "]}\n";
}

Said read_line(std::string_view line) {
  // What a value costs in memory is many times its length.
  if (triggerd::json_is_deeper_than(line, deepest_line)) return Wrong{"it is nested too deeply"};
  if (has_more_values_than(line, most_values)) return Wrong{"it has more than a million values"};
  const json object = json::parse(line.begin(), line.end(), nullptr, false);
  if (!object.is_object()) return Wrong{"it is not a JSON object"};
  try {
    return read_object(object);
  } catch (const Problem& problem) {
    return Wrong{problem.what(), token_of(object)};
  }
}

}  // namespace exec_plugin
