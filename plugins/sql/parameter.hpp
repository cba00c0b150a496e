// The statement's parameters: where in a message each comes from, and what type it has.
#pragma once

#include <cstddef>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <trigger/plugin.hpp>
#include <vector>

namespace sql {

enum class Type { text, integer, floating, boolean, bytea, timestamptz, json };

// The value of a parameter for the database.
struct Value {
  Type type = Type::text;
  bool null = false;
  std::string text;  // as PostgreSQL reads it; with bytea the bytes
};
using Row = std::vector<Value>;

enum class Source {
  topic,
  level,
  id,
  trigger,
  attempt,
  qos,
  retained,
  received,
  payload,
  json,
  user_property,
  content_type,
  response_topic,
  correlation_data,
  constant
};

struct JsonPointer;

// Constant after construction; any thread.
struct Parameter {
  Source source = Source::constant;
  Type type = Type::text;
  bool null_if_missing = false;
  std::string name;      // for people: "json:/c"
  std::string argument;  // name of the property, or the constant
  std::size_t level = 0;
  std::shared_ptr<const JsonPointer> pointer;  // of Source::json; else null
};

// The settings parameters.0, parameters.1... Throws trigger::SettingError.
std::vector<Parameter> read_parameters(const trigger::Settings& settings);

// The row of a message, or why there is none.
struct Made {
  std::optional<Row> row;
  std::string problem;
};
Made make_row(const std::vector<Parameter>& parameters, const trigger::Message& message);

}  // namespace sql
