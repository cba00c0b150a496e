// A message on the command line: --topic, --payload, --file, --qos, --retain, --property.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "client/api.hpp"
#include "command_line.hpp"

namespace triggerctl {

struct MessageOptions {
  std::string topic;
  std::string payload;
  std::string file;
  std::uint32_t qos = 1;
  bool retain = false;
  std::vector<std::string> properties;
  Option payload_option;  // distinguishes "" from no payload
};

void add_message_options(Command verb, MessageOptions& options);

// Whether the payload is on the command line, as text or as a file.
bool names_payload(const MessageOptions& options);

// The body of a request, with the payload if there is one.
Result<Json> message_from(const MessageOptions& options);

}  // namespace triggerctl
