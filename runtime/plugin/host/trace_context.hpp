// W3C Trace Context: the user properties "traceparent" and "tracestate" of an MQTT 5 message. They
// are passed on unchanged, because the runtime is not a span of its own. Values that do not follow
// the specification (https://www.w3.org/TR/trace-context/, section 3.2) are ignored.
//
// Also the message that the calling thread has given to a service: what the service logs and
// publishes meanwhile belongs to that message.
#pragma once

#include <trigger/plugin.h>

#include <span>
#include <string_view>
#include <vector>

namespace triggerd::plugin {

// The 32 digits that identify the whole trace; empty if there is none.
std::string_view trace_id(std::span<const trigger_property> properties);
inline std::span<const trigger_property> properties_of(const trigger_message& message) {
  return {message.properties, message.property_count};
}

// The properties to publish in addition to `own` so that the trace of `message` continues: none if
// `own` has a traceparent or the message has none. They point into the message.
std::vector<trigger_property> inherited_trace(const trigger_message& message,
                                              std::span<const trigger_property> own);

// While it lives, `message` is the one that this thread has given to a service. thread_local.
class CurrentMessage {
 public:
  explicit CurrentMessage(const trigger_message& message) { current_ = &message; }
  ~CurrentMessage() { current_ = nullptr; }
  CurrentMessage(const CurrentMessage&) = delete;
  CurrentMessage& operator=(const CurrentMessage&) = delete;

  // Null: there is none, or it is one of several.
  static const trigger_message* get() { return current_; }

 private:
  static thread_local const trigger_message* current_;
};

}  // namespace triggerd::plugin
