#include "live/message_options.hpp"

#include <fmt/format.h>

#include "base/file.hpp"

namespace triggerctl {
namespace {

// In base64 it still fits into a body.
constexpr std::size_t kLargestPayload = 700 << 10;

}  // namespace

void add_message_options(CLI::App& verb, MessageOptions& options) {
  verb.add_option("--topic", options.topic, "its topic")->required();
  options.payload_option = verb.add_option("--payload", options.payload, "its payload");
  verb.add_option("--file", options.file, "a file that is its payload")
      ->excludes(options.payload_option);
  verb.add_option("--qos", options.qos, "its QoS")->check(CLI::Range(0, 2))->capture_default_str();
  verb.add_flag("--retain", options.retain, "it is retained");
  verb.add_option("--property", options.properties,
                  "NAME=VALUE, a user property of MQTT 5; may be given many times")
      ->allow_extra_args(false);
}

bool names_payload(const MessageOptions& options) {
  return !options.file.empty() || options.payload_option->count() > 0;
}

Result<Json> message_from(const MessageOptions& options) {
  Json message = {{"topic", options.topic}, {"qos", options.qos}, {"retained", options.retain}};
  if (!options.file.empty()) {
    const auto bytes = triggerd::read_file(options.file, kLargestPayload);
    if (!bytes) {
      return tl::make_unexpected(triggerd::Error{"--file: " + bytes.error().message, kUsage});
    }
    add_payload(message, *bytes);
  } else if (options.payload_option->count() > 0) {
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
