// W3C Trace Context: what a message of MQTT 5 carries in the user properties "traceparent" and
// "tracestate". They are handed on as they came: the runtime is no span of its own. What is not
// as the specification has it (https://www.w3.org/TR/trace-context/, section 3.2) is ignored.
//
// Also which message the calling thread has given to a service: what that service says and
// publishes meanwhile belongs to it.
#pragma once

#include <trigger/plugin.h>

#include <span>
#include <string_view>
#include <vector>

namespace triggerd::plugin {

// The 32 digits that name the whole trace; empty where there is none.
std::string_view trace_id(std::span<const trigger_property> properties);
inline std::span<const trigger_property> properties_of(const trigger_message& message) {
  return {message.properties, message.property_count};
}

// What is to be published with beside `own`, so that the trace of `message` goes on: nothing where
// `own` has a traceparent, or the message none. They point into the message.
std::vector<trigger_property> inherited_trace(const trigger_message& message,
                                              std::span<const trigger_property> own);

// While it lives, `message` is what this thread is at.
class CurrentMessage {
 public:
  explicit CurrentMessage(const trigger_message& message) { current_ = &message; }
  ~CurrentMessage() { current_ = nullptr; }
  CurrentMessage(const CurrentMessage&) = delete;
  CurrentMessage& operator=(const CurrentMessage&) = delete;

  // Null: none, or nobody knows which.
  static const trigger_message* get() { return current_; }

 private:
  static thread_local const trigger_message* current_;
};

}  // namespace triggerd::plugin
