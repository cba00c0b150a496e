#include "live/message_options.hpp"

#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "base/file.hpp"

namespace triggerctl {
namespace {

// In base64 it still fits into the body of a request.
constexpr std::size_t kLargestPayload = 700 << 10;

}  // namespace

void add_message_options(Command verb, MessageOptions& options) {
  verb.option("--topic", options.topic, "its topic").required();
  options.payload_option = verb.option("--payload", options.payload, "its payload");
  verb.option("--file", options.file, "a file with its payload").excludes(options.payload_option);
  verb.option("--qos", options.qos, "its QoS").range(0, 2).show_default();
  verb.flag("--retain", options.retain, "mark it as retained");
  verb.option("--property", options.properties,
              "NAME=VALUE, a user property of MQTT 5; may be given many times")
      .one_value();
}

bool names_payload(const MessageOptions& options) {
  return !options.file.empty() || options.payload_option.given();
}

Result<Json> message_from(const MessageOptions& options) {
  Json message = {{"topic", options.topic}, {"qos", options.qos}, {"retained", options.retain}};
  if (!options.file.empty()) {
    const auto bytes = triggerd::read_file(options.file, kLargestPayload);
    if (!bytes) {
      return tl::make_unexpected(triggerd::Error{"--file: " + bytes.error().message, kUsage});
    }
    add_payload(message, *bytes);
  } else if (options.payload_option.given()) {
    add_payload(message, options.payload);
  }
  for (const std::string& property : options.properties) {
    const std::size_t equals = property.find('=');
    if (equals == std::string::npos || equals == 0) {
      return tl::make_unexpected(
          triggerd::Error{fmt::format("--property {}: write NAME=VALUE", property), kUsage});
    }
    message["properties"].push_back(
        {{"name", property.substr(0, equals)}, {"value", property.substr(equals + 1)}});
  }
  return message;
}

}  // namespace triggerctl
