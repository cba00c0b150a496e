// Turns messages into the content of a request: headers and body, as CloudEvents 1.0 or plain.
//
//   CloudEvents 1.0, HTTP binding   https://github.com/cloudevents/spec: bindings/http-protocol
//   CloudEvents 1.0, JSON format    formats/json-format
#pragma once

#include <string>
#include <string_view>
#include <trigger/plugin.hpp>
#include <vector>

#include "settings.hpp"

namespace http_forward {

struct Content {
  std::string url;                   // of a probe empty
  std::vector<std::string> headers;  // "Name: value", free of control characters, whatever was sent
  std::string own_body;
  std::string_view borrowed_body;  // the message's payload, if own_body is not used
  bool borrows = false;

  std::string_view body() const { return borrows ? borrowed_body : std::string_view(own_body); }
};

// Where a message's request goes, or why the message does not say.
plugin_common::MessageTemplate::Text url_for(const Settings& settings,
                                             const trigger::Message& message);

// The content of one message's request, without its url; not for Mode::batch.
Content make_content(const Settings& settings, const trigger::Message& message);

// For Mode::batch: `events` are results of json_event(), and the messages have a url, the same one.
Content make_batch_content(const Settings& settings, const trigger::Message& any_message,
                           const std::vector<std::string_view>& events);

// A message as a CloudEvent in JSON.
std::string json_event(const Settings& settings, const trigger::Message& message);

}  // namespace http_forward
