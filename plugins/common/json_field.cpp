#include "common/json_field.hpp"

#include <cstddef>
#include <nlohmann/json.hpp>
#include <trigger/cpp/settings.hpp>
#include <trigger/cpp/text.hpp>
#include <utility>

#include "base/json_depth.hpp"

namespace plugin_common {
namespace {

using nlohmann::json;

// A reader of JSON may go one call deeper with each level.
constexpr std::size_t max_levels = 100;

}  // namespace

struct JsonPointer::Parsed {
  json::json_pointer value;
};

JsonPointer::JsonPointer(std::string_view key, std::string_view text) : text_(text) {
  const auto problem = [&](const char* what) {
    return trigger::SettingError(key, "has the placeholder {json:" + text_ + "}: " + what);
  };
  if (text.empty()) {
    throw problem("it needs a JSON pointer to a value in the payload, such as {json:/id}");
  }
  try {
    parsed_ = std::make_shared<Parsed>(Parsed{json::json_pointer(text_)});
  } catch (const json::exception&) {
    throw problem("what follows json: must be a JSON pointer, such as /sensor/0/name");
  }
}

struct JsonPayload::Document {
  json root;
  std::string problem;  // if it is not empty, there is no root
};

JsonPayload::JsonPayload(std::string_view payload) : payload_(payload) {}
JsonPayload::~JsonPayload() = default;

JsonPayload::Found JsonPayload::find(const JsonPointer& pointer) {
  if (!document_) {
    Document made;
    if (triggerd::json_is_deeper_than(payload_, max_levels)) {
      made.problem = "the payload has more than " + std::to_string(max_levels) + " levels of JSON";
    } else {
      made.root = json::parse(payload_, nullptr, false);
      // The parser takes a NUL for the end of its input.
      if (made.root.is_discarded() || payload_.find('\0') != std::string_view::npos) {
        made.problem = "the payload is not JSON";
      }
    }
    document_ = std::make_unique<const Document>(std::move(made));
  }
  if (!document_->problem.empty()) return {std::nullopt, document_->problem};

  const std::string name = '"' + trigger::printable(pointer.text_, 80) + '"';
  const json* value = nullptr;
  try {
    const json::json_pointer& path = pointer.parsed_->value;
    if (document_->root.contains(path)) value = &document_->root.at(path);
  } catch (const json::exception&) {  // an index of an array that is none
  }
  if (value == nullptr) return {std::nullopt, "the payload has no " + name};
  if (value->is_string()) return {value->get<std::string>(), {}};
  if (value->is_number() || value->is_boolean()) return {value->dump(), {}};
  return {std::nullopt, name + " of the payload is " +
                            (value->is_null()    ? "null"
                             : value->is_array() ? "an array"
                                                 : "an object")};
}

}  // namespace plugin_common
