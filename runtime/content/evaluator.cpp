#include "content/evaluator.hpp"

#include <trigger/mqtt5.h>

#include <system_error>

#include "base/base64.hpp"
#include "base/text.hpp"
#include "base/units.hpp"
#include "content/digits.hpp"
#include "content/json_text.hpp"
#include "content/program.hpp"
#include "content/schema.hpp"
#include "content/watchdog.hpp"

namespace triggerd::content {
namespace {

jv levels_of(std::string_view topic) {
  jv levels = jv_array();
  for (;;) {
    const std::size_t slash = topic.find('/');
    levels = jv_array_append(levels, string_value(topic.substr(0, slash)));
    if (slash == std::string_view::npos) return levels;
    topic.remove_prefix(slash + 1);
  }
}

jv properties_of(std::span<const Subject::Property> properties) {
  jv all = jv_object();
  jv user = jv_object();
  const auto set = [&all](const char* name, jv value) {
    all = jv_object_set(all, jv_string(name), value);
  };
  for (const Subject::Property& property : properties) {
    switch (property.id) {
      case TRIGGER_PROPERTY_PAYLOAD_FORMAT:
        set("payload_format", jv_number(static_cast<double>(property.number)));
        break;
      case TRIGGER_PROPERTY_MESSAGE_EXPIRY:
        set("message_expiry", jv_number(static_cast<double>(property.number)));
        break;
      case TRIGGER_PROPERTY_CONTENT_TYPE:
        set("content_type", string_value(property.value));
        break;
      case TRIGGER_PROPERTY_RESPONSE_TOPIC:
        set("response_topic", string_value(property.value));
        break;
      case TRIGGER_PROPERTY_CORRELATION_DATA:
        set("correlation_data_base64", string_value(base64(property.value)));
        break;
      case TRIGGER_PROPERTY_USER: {
        // Of several with one name the first, as everywhere.
        const Value name(string_value(property.name));
        if (jv_object_has(jv_copy(user), name.copy()) == 0) {
          user = jv_object_set(user, name.copy(), string_value(property.value));
        }
        break;
      }
      default:
        break;
    }
  }
  set("user", user);
  return all;
}

// In the order of Program::kNames.
Value variables_of(const Subject& subject) {
  jv all = jv_array_sized(6);
  all = jv_array_append(all, string_value(subject.topic));
  all = jv_array_append(all, levels_of(subject.topic));
  all = jv_array_append(all, properties_of(subject.properties));
  all = jv_array_append(all, jv_number(subject.qos));
  all = jv_array_append(all, subject.retained ? jv_true() : jv_false());
  all = jv_array_append(all, jv_number(static_cast<double>(subject.received_unix_ns) / 1e9));
  return Value(all);
}

Evaluation failed(std::string_view what, const Error& error) {
  return {.kind = Evaluation::Kind::fail,
          .payloads = {},
          .reason = fmt::format("{}: {}", what, error.message)};
}

}  // namespace

Evaluator::Evaluator(const Options& options)
    : options_(options), digits_(std::make_unique<Digits>()) {}

Evaluator::~Evaluator() = default;

Result<std::unique_ptr<Evaluator>> Evaluator::make(const Options& options) {
  std::unique_ptr<Evaluator> made(new Evaluator(options));
  for (const auto& [text, program] :
       {std::pair(&options.when, &made->when_), std::pair(&options.transform, &made->transform_)}) {
    if (text->empty()) continue;
    auto compiled = Program::compile(*text);
    if (!compiled) return tl::make_unexpected(compiled.error());
    *program = std::make_unique<Program>(std::move(*compiled));
  }
  if (!options.schema.empty()) {
    auto schema = Schema::parse(options.schema);
    if (!schema) return tl::make_unexpected(schema.error());
    made->schema_ = std::make_unique<Schema>(std::move(*schema));
  }
  try {
    made->watchdog_ = Watchdog::shared();
  } catch (const std::system_error& error) {
    return fail("cannot start a thread: {}", error.what());
  }
  return made;
}

Evaluation Evaluator::evaluate(const Subject& subject) {
  if (subject.payload.size() > options_.max_size) {
    return failed("payload", {fmt::format("it is larger than {}", format_size(options_.max_size))});
  }
  Value input;
  Value variables;
  if (when_ || transform_) {
    digits_->clear();
    if (options_.input == Input::text) {
      if (!is_utf8(subject.payload)) return failed("payload", {"it is not UTF-8"});
      input = Value(string_value(subject.payload));
    } else {
      auto read = read_json(subject.payload, *digits_);
      if (!read) return failed("payload", read.error());
      input = std::move(*read);
    }
    variables = variables_of(subject);
  }
  if (when_) {
    const auto wanted = is_wanted(input, variables);
    if (!wanted) return failed("when", wanted.error());
    if (!*wanted) return {.kind = Evaluation::Kind::filter};
  }
  if (schema_) {
    const auto valid = schema_->validate(subject.payload);
    if (!valid) return failed("schema", valid.error());
  }
  if (!transform_) return {};
  auto payloads = transform(input, variables);
  if (!payloads) return failed("transform", payloads.error());
  if (payloads->empty()) return {.kind = Evaluation::Kind::filter};
  return {.kind = Evaluation::Kind::handle, .payloads = std::move(*payloads)};
}

// The first result says it; none means no.
Result<bool> Evaluator::is_wanted(const Value& input, const Value& variables) {
  bool wanted = false;
  const auto ran = when_->run(input, variables, *watchdog_, options_.timeout, [&](Value result) {
    wanted = result.truthy();
    return false;
  });
  if (!ran) return tl::make_unexpected(ran.error());
  return wanted;
}

Result<std::vector<std::string>> Evaluator::transform(const Value& input, const Value& variables) {
  std::vector<std::string> payloads;
  std::uint64_t left = options_.max_size;
  Result<> fits;
  const auto take = [&](const Value& result) {
    if (!payloads.empty() && !options_.split) {
      fits = fail("it has more than one result; write split = true, or put them into an array");
      return false;
    }
    std::string& payload = payloads.emplace_back();
    const bool is_text = result.kind() == JV_KIND_STRING;
    if (is_text) payload = result.text();
    const bool written = is_text || write_json(result, *digits_, left, payload);
    // Where there may be many, one takes memory even if it is empty.
    const std::uint64_t cost = payload.size() + (options_.split ? sizeof(std::string) : 0);
    if (!written || cost > left) {
      fits = fail("the result is larger than {}, or nested too deeply",
                  format_size(options_.max_size));
      return false;
    }
    left -= cost;
    return true;
  };
  const auto ran = transform_->run(input, variables, *watchdog_, options_.timeout, take);
  if (!ran) return tl::make_unexpected(ran.error());
  if (!fits) return tl::make_unexpected(fits.error());
  return payloads;
}

}  // namespace triggerd::content
