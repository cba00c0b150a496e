#include "parameter.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <chrono>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <ctime>
#include <limits>
#include <locale>
#include <nlohmann/json.hpp>
#include <sstream>
#include <utility>

#include "base/json_depth.hpp"
#include "common/settings.hpp"
#include "common/template.hpp"

namespace sql {

struct JsonPointer {
  nlohmann::json::json_pointer value;
};

namespace {

using nlohmann::json;
using trigger::SettingError;

// A value that a parameter cannot have; `what` is for people.
struct Unfit {
  std::string what;
};

constexpr std::array<std::pair<std::string_view, Type>, 7> types{
    {{"text", Type::text},
     {"integer", Type::integer},
     {"floating", Type::floating},
     {"boolean", Type::boolean},
     {"bytea", Type::bytea},
     {"timestamptz", Type::timestamptz},
     {"json", Type::json}}};

constexpr std::array<std::pair<std::string_view, Source>, 11> sources{
    {{"topic", Source::topic},
     {"id", Source::id},
     {"trigger", Source::trigger},
     {"attempt", Source::attempt},
     {"qos", Source::qos},
     {"retained", Source::retained},
     {"received", Source::received},
     {"payload", Source::payload},
     {"content_type", Source::content_type},
     {"response_topic", Source::response_topic},
     {"correlation_data", Source::correlation_data}}};

const char* default_type(Source source) {
  switch (source) {
    case Source::attempt:
    case Source::qos:
      return "integer";
    case Source::retained:
      return "boolean";
    case Source::received:
      return "timestamptz";
    case Source::correlation_data:
      return "bytea";
    default:
      return "text";
  }
}

void read_source(Parameter& parameter, const std::string& key, const std::string& from) {
  using plugin_common::placeholder_argument;
  parameter.name = from;
  for (const auto& [name, source] : sources) {
    if (name != from) continue;
    parameter.source = source;
    return;
  }
  if (const auto level = placeholder_argument(from, "topic:")) {
    parameter.source = Source::level;
    parameter.level = plugin_common::placeholder_level(key, *level);
  } else if (const auto property = placeholder_argument(from, "property:")) {
    if (property->empty()) throw SettingError(key, "has property: without a name");
    parameter.source = Source::user_property;
    parameter.argument = *property;
  } else if (const auto pointer = placeholder_argument(from, "json:")) {
    parameter.source = Source::json;
    try {
      parameter.pointer =
          std::make_shared<JsonPointer>(JsonPointer{json::json_pointer(std::string(*pointer))});
    } catch (const json::exception&) {
      throw SettingError(key, "must have a JSON pointer after json:, such as json:/sensor/0/c");
    }
  } else {
    throw SettingError(key,
                       "must be topic, topic:N, id, trigger, attempt, qos, retained, received, "
                       "payload, json:/POINTER, property:NAME, content_type, response_topic or "
                       "correlation_data");
  }
}

const trigger::Setting* find_leaf(const trigger::Settings& settings, const std::string& key) {
  for (const trigger::Setting& leaf : settings.leaves()) {
    if (leaf.key == key) return &leaf;
  }
  return nullptr;
}

// ---- values ----

std::string iso_time(std::chrono::system_clock::time_point at) {
  using std::chrono::duration_cast;
  const auto us = duration_cast<std::chrono::microseconds>(at.time_since_epoch()).count();
  std::int64_t whole = us / 1'000'000;
  std::int64_t rest = us % 1'000'000;
  if (rest < 0) {
    rest += 1'000'000;
    --whole;
  }
  const std::time_t seconds = whole;
  std::tm parts{};
  if (::gmtime_r(&seconds, &parts) == nullptr) throw Unfit{"is not a time"};
  std::array<char, 80> text{};
  std::snprintf(text.data(), text.size(), "%04d-%02d-%02dT%02d:%02d:%02d.%06dZ",
                parts.tm_year + 1900, parts.tm_mon + 1, parts.tm_mday, parts.tm_hour, parts.tm_min,
                parts.tm_sec, static_cast<int>(rest));
  return text.data();
}

std::string iso_time(double unix_seconds) {
  constexpr double most = 9'000'000'000;  // year 2255: within 64 bits of nanoseconds
  if (!(unix_seconds >= 0 && unix_seconds <= most))
    throw Unfit{"is not a time in seconds since 1970"};
  return iso_time(std::chrono::system_clock::time_point(
      std::chrono::microseconds(std::llround(unix_seconds * 1e6))));
}

std::string quoted(std::string_view text) {
  return "\"" + trigger::printable(text, 60) + "\"";
}

// Text that both databases accept: PostgreSQL allows no NUL in text, and its driver would stop
// there.
std::string checked_text(std::string_view text) {
  for (std::string_view rest = text; !rest.empty();) {
    const std::size_t length = trigger::detail::utf8_sequence(rest);
    if (length == 0 || rest.front() == '\0') {
      throw Unfit{quoted(text) +
                  " is not UTF-8 text, or contains a zero byte; bytea takes any bytes"};
    }
    rest.remove_prefix(length);
  }
  return std::string(text);
}

std::string integer_text(std::string_view text) {
  std::int64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (text.empty() || error != std::errc() || end != text.data() + text.size()) {
    throw Unfit{quoted(text) + " is not a 64-bit integer"};
  }
  return std::to_string(value);
}

std::string floating_text(std::string_view text) {
  std::istringstream in{std::string(text)};
  in.imbue(std::locale::classic());
  double value = 0;
  if (!(in >> std::noskipws >> value) || in.peek() != std::istringstream::traits_type::eof() ||
      !std::isfinite(value)) {
    throw Unfit{quoted(text) + " is not a number"};
  }
  std::ostringstream out;
  out.imbue(std::locale::classic());
  out.precision(std::numeric_limits<double>::max_digits10);
  out << value;
  return out.str();
}

std::string boolean_text(std::string_view text) {
  if (text == "true" || text == "1") return "true";
  if (text == "false" || text == "0") return "false";
  throw Unfit{quoted(text) + " is neither true nor false"};
}

// A reader of JSON, and whoever writes it again, goes one call deeper with each level.
constexpr std::size_t max_levels = 100;

json parse_json(std::string_view text) {
  if (triggerd::json_is_deeper_than(text, max_levels)) {
    throw Unfit{"is JSON with more than " + std::to_string(max_levels) + " levels"};
  }
  json document = json::parse(text, nullptr, false);
  if (document.is_discarded()) throw Unfit{quoted(text) + " is not JSON"};
  return document;
}

std::string convert(Type type, std::string_view text) {
  switch (type) {
    case Type::text:
    case Type::timestamptz:
      return checked_text(text);
    case Type::integer:
      return integer_text(text);
    case Type::floating:
      return floating_text(text);
    case Type::boolean:
      return boolean_text(text);
    case Type::bytea:
      return std::string(text);
    case Type::json:
      parse_json(text);
      return checked_text(text);
  }
  return {};
}

std::string convert_json(Type type, const json& value) {
  if (type == Type::json) return checked_text(value.dump());
  if (type == Type::timestamptz && value.is_number()) return iso_time(value.get<double>());
  if (value.is_string()) return convert(type, value.get_ref<const std::string&>());
  if (type == Type::integer && value.is_number_float()) {
    const double number = value.get<double>();
    if (number != std::floor(number) || std::fabs(number) > 9.0e15) {
      throw Unfit{value.dump() + " is not an integer"};
    }
    return std::to_string(static_cast<std::int64_t>(number));
  }
  return convert(type, value.dump());
}

// One message, whose payload is read as JSON at most once.
class Reader {
 public:
  explicit Reader(const trigger::Message& message) : message_(message) {}

  Value value_of(const Parameter& parameter) {
    Value value{parameter.type, false, {}};
    if (parameter.source == Source::json) {
      const json* found = find(parameter.pointer->value);
      if (found == nullptr && !parameter.null_if_missing) throw Unfit{"is not in the payload"};
      value.null = found == nullptr || found->is_null();
      if (!value.null) value.text = convert_json(parameter.type, *found);
      return value;
    }
    if (parameter.source == Source::received) {
      value.text = convert(parameter.type, iso_time(message_.received()));
      return value;
    }
    std::string number;
    const std::optional<std::string_view> text = text_of(parameter, number);
    if (!text && !parameter.null_if_missing) throw Unfit{"is not in the message"};
    value.null = !text;
    if (text) value.text = convert(parameter.type, *text);
    return value;
  }

 private:
  const json* find(const json::json_pointer& pointer) {
    if (!document_) document_ = parse_json(message_.payload());
    try {
      return document_->contains(pointer) ? &document_->at(pointer) : nullptr;
    } catch (const json::exception&) {  // an index that is none
      return nullptr;
    }
  }

  std::optional<std::string_view> text_of(const Parameter& parameter, std::string& number) const {
    switch (parameter.source) {
      case Source::topic:
        return message_.topic();
      case Source::level:
        return plugin_common::topic_level(message_.topic(), parameter.level);
      case Source::id:
        return message_.id();
      case Source::trigger:
        return message_.trigger();
      case Source::attempt:
        return number = std::to_string(message_.attempt());
      case Source::qos:
        return number = std::to_string(message_.qos());
      case Source::retained:
        return message_.retained() ? "true" : "false";
      case Source::payload:
        return message_.payload();
      case Source::user_property:
        return message_.user_property(parameter.argument);
      case Source::content_type:
        return message_.content_type();
      case Source::response_topic:
        return message_.response_topic();
      case Source::correlation_data:
        return message_.correlation_data();
      case Source::constant:
        return parameter.argument;
      case Source::json:
      case Source::received:
        break;
    }
    return std::nullopt;
  }

  const trigger::Message& message_;
  std::optional<json> document_;
};

}  // namespace

std::vector<Parameter> read_parameters(const trigger::Settings& settings) {
  constexpr std::array<std::pair<std::string_view, bool>, 2> missing{
      {{"reject", false}, {"null", true}}};
  constexpr std::array<std::string_view, 4> known{"from", "value", "type", "missing"};
  std::vector<Parameter> parameters;
  for (std::size_t i = 0;; ++i) {
    const std::string prefix = "parameters." + std::to_string(i);
    if (!settings.has(prefix)) break;
    for (const trigger::Setting& leaf : settings.leaves()) {
      if (leaf.key.rfind(prefix + ".", 0) != 0 && leaf.key != prefix) continue;
      const std::string_view key =
          std::string_view(leaf.key).substr(std::min(leaf.key.size(), prefix.size() + 1));
      if (std::find(known.begin(), known.end(), key) == known.end()) {
        throw SettingError(leaf.key,
                           "is unknown; a parameter is a table of from or value, type, missing");
      }
    }
    Parameter parameter;
    const std::string from = prefix + ".from";
    const std::string constant = prefix + ".value";
    if (settings.has(from) == settings.has(constant)) {
      throw SettingError(prefix, "must have either from or value");
    }
    if (settings.has(from)) {
      read_source(parameter, from, settings.text(from));
    } else {
      const trigger::Setting* leaf = find_leaf(settings, constant);
      if (leaf == nullptr) throw SettingError(constant, "must not be a table or an array");
      parameter.argument = leaf->value;
      parameter.name = "value";
    }
    parameter.type = plugin_common::choice(
        settings, prefix + ".type", default_type(parameter.source), types,
        "must be text, integer, floating, boolean, bytea, timestamptz or json");
    parameter.null_if_missing = plugin_common::choice(settings, prefix + ".missing", "reject",
                                                      missing, "must be \"reject\" or \"null\"");
    if (parameter.source == Source::constant) {
      try {
        parameter.argument = convert(parameter.type, parameter.argument);
      } catch (const Unfit&) {
        throw SettingError(constant, "does not fit its type");
      }
    }
    parameters.push_back(std::move(parameter));
  }
  return parameters;
}

Made make_row(const std::vector<Parameter>& parameters, const trigger::Message& message) {
  Reader reader(message);
  Row row;
  row.reserve(parameters.size());
  for (std::size_t i = 0; i < parameters.size(); ++i) {
    try {
      row.push_back(reader.value_of(parameters[i]));
    } catch (const Unfit& unfit) {
      return {std::nullopt, "parameter $" + std::to_string(i + 1) + " (" + parameters[i].name +
                                "): " + unfit.what};
    } catch (const json::exception&) {  // text in JSON that is no UTF-8
      return {std::nullopt, "parameter $" + std::to_string(i + 1) + " (" + parameters[i].name +
                                "): it is not JSON in UTF-8"};
    }
  }
  return {std::move(row), {}};
}

}  // namespace sql
