#include "content/schema.hpp"

#include <algorithm>
#include <array>
#include <exception>
#include <nlohmann/json.hpp>
#include <set>
#include <vector>

#include "base/json_depth.hpp"
#include "base/text.hpp"
#include "content/json_text.hpp"

#define VALIJSON_USE_EXCEPTIONS 1
#include <valijson/adapters/nlohmann_json_adapter.hpp>
#include <valijson/schema.hpp>
#include <valijson/schema_parser.hpp>
#include <valijson/validation_results.hpp>
#include <valijson/validator.hpp>

namespace triggerd::content {
namespace {

using Json = nlohmann::json;
using Adapter = valijson::adapters::NlohmannJsonAdapter;

// Keywords whose schemas are for the same value, so that one which leads back to itself never ends.
constexpr std::array<std::string_view, 4> kOfOne = {"not", "if", "then", "else"};
constexpr std::array<std::string_view, 3> kOfSeveral = {"allOf", "anyOf", "oneOf"};

// The place of the document that a reference leads to; null: there is none. valijson recurses
// without end over references to other documents, so they are refused before it sees them.
const Json* target_of(const Json& document, const std::string& reference) {
  if (!reference.starts_with('#')) return nullptr;
  try {
    return &document.at(Json::json_pointer(reference.substr(1)));
  } catch (const Json::exception&) {
    return nullptr;
  }
}

// The first reference of `schema` that leads nowhere; null: all lead somewhere.
const std::string* dangling_reference(const Json& document, const Json& schema) {
  if (schema.is_object()) {
    const auto ref = schema.find("$ref");
    if (ref != schema.end() && ref->is_string()) {
      const auto& reference = ref->get_ref<const std::string&>();
      if (target_of(document, reference) == nullptr) return &reference;
    }
  }
  if (!schema.is_structured()) return nullptr;
  for (const Json& part : schema) {
    if (const std::string* found = dangling_reference(document, part)) return found;
  }
  return nullptr;
}

// Finds out whether a schema, applied to one value, would apply itself to it again.
class LoopFinder {
 public:
  explicit LoopFinder(const Json& document) : document_(document) {}

  // Also below `schema`.
  bool finds_one(const Json& schema) {
    if (applies_itself(schema)) return true;
    return schema.is_structured() &&
           std::any_of(schema.begin(), schema.end(),
                       [this](const Json& part) { return finds_one(part); });
  }

 private:
  bool applies_itself(const Json& schema) {
    if (!schema.is_object() || done_.count(&schema) > 0) return false;
    if (!under_way_.insert(&schema).second) return true;
    bool found = false;
    if (const auto ref = schema.find("$ref"); ref != schema.end() && ref->is_string()) {
      if (const Json* target = target_of(document_, ref->get_ref<const std::string&>())) {
        found = applies_itself(*target);
      }
    }
    for (const std::string_view keyword : kOfOne) {
      const auto part = schema.find(keyword);
      found = found || (part != schema.end() && applies_itself(*part));
    }
    for (const std::string_view keyword : kOfSeveral) {
      const auto parts = schema.find(keyword);
      if (parts == schema.end() || !parts->is_array()) continue;
      for (const Json& part : *parts) found = found || applies_itself(part);
    }
    under_way_.erase(&schema);
    done_.insert(&schema);
    return found;
  }

  const Json& document_;
  std::set<const Json*> under_way_;
  std::set<const Json*> done_;
};

bool has_keyword(const Json& schema, std::string_view keyword) {
  if (schema.is_object() && schema.contains(keyword)) return true;
  return schema.is_structured() &&
         std::any_of(schema.begin(), schema.end(),
                     [keyword](const Json& part) { return has_keyword(part, keyword); });
}

// Whether a string, or a name of a member, is too long for "pattern".
bool has_long_string(const Json& value) {
  if (value.is_string()) {
    return value.get_ref<const std::string&>().size() > Schema::kLongestString;
  }
  for (const auto& [name, part] : value.items()) {
    if (value.is_object() && name.size() > Schema::kLongestString) return true;
    if (part.is_structured() || part.is_string()) {
      if (has_long_string(part)) return true;
    }
  }
  return false;
}

bool has_long_array(const Json& value) {
  if (value.is_array() && value.size() > Schema::kMostElements) return true;
  return value.is_structured() && std::any_of(value.begin(), value.end(), has_long_array);
}

// {"<root>", "[a/b]", "[0]"} as a JSON pointer: "/a~1b/0".
std::string pointer_of(const std::vector<std::string>& context) {
  std::string pointer;
  for (std::size_t i = 1; i < context.size(); ++i) {
    std::string_view step = context[i];
    if (step.size() >= 2 && step.front() == '[') step = step.substr(1, step.size() - 2);
    pointer += '/';
    for (const char c : step) {
      if (c == '~') {
        pointer += "~0";
      } else if (c == '/') {
        pointer += "~1";
      } else {
        pointer += c;
      }
    }
  }
  return pointer.empty() ? "the payload" : pointer;
}

}  // namespace

struct Schema::Parts {
  valijson::Schema schema;
  mutable valijson::Validator validator;
  bool has_patterns = false;
  bool wants_unique = false;
};

Schema::Schema(std::unique_ptr<Parts> parts) : parts_(std::move(parts)) {}
Schema::Schema(Schema&&) noexcept = default;
Schema& Schema::operator=(Schema&&) noexcept = default;
Schema::~Schema() = default;

Result<Schema> Schema::parse(std::string_view json) {
  if (json_is_deeper_than(json, kDeepest)) {
    return fail("it is nested deeper than {} levels", kDeepest);
  }
  try {
    const Json document = Json::parse(json);
    if (!document.is_object() && !document.is_boolean()) {
      return fail("a schema is an object, or true or false");
    }
    if (const std::string* reference = dangling_reference(document, document)) {
      return fail(
          "\"$ref\" leads to a place in the schema itself, as \"#/definitions/name\"; \"{}\" "
          "leads to none",
          printable(*reference));
    }
    if (LoopFinder(document).finds_one(document)) {
      return fail("one of its schemas applies itself to the same value, without end");
    }
    auto parts = std::make_unique<Parts>();
    parts->has_patterns = has_keyword(document, "pattern") ||
                          has_keyword(document, "patternProperties") ||
                          has_keyword(document, "format");
    parts->wants_unique = has_keyword(document, "uniqueItems");
    const Adapter adapter(document);
    valijson::SchemaParser parser;
    parser.populateSchema(adapter, parts->schema);
    return Schema(std::move(parts));
  } catch (const std::exception& error) {
    return fail("{}", printable(error.what()));
  }
}

Result<> Schema::validate(std::string_view payload) const {
  if (json_is_deeper_than(payload, kDeepest)) {
    return fail("JSON is nested deeper than {} levels", kDeepest);
  }
  try {
    const Json value = payload.empty() ? Json() : Json::parse(payload, nullptr, false);
    if (value.is_discarded()) return fail("the payload is no JSON");
    if (parts_->has_patterns && has_long_string(value)) {
      return fail(
          "a string is longer than the {} bytes that a schema with \"pattern\" or \"format\" looks "
          "at",
          kLongestString);
    }
    if (parts_->wants_unique && has_long_array(value)) {
      return fail(
          "an array has more than the {} elements that a schema with \"uniqueItems\" "
          "looks at",
          kMostElements);
    }
    valijson::ValidationResults results;
    const Adapter adapter(value);
    if (parts_->validator.validate(parts_->schema, adapter, &results)) return {};
    // The first is the innermost.
    valijson::ValidationResults::Error first;
    if (!results.popError(first)) return fail("the payload violates the schema");
    std::string what = first.description;
    if (what.ends_with('.')) what.pop_back();
    if (!what.empty() && what[0] >= 'A' && what[0] <= 'Z') what[0] += 'a' - 'A';
    return fail("{}", printable(pointer_of(first.context) + ": " + what));
  } catch (const std::exception& error) {
    return fail("{}", printable(error.what()));
  }
}

}  // namespace triggerd::content
