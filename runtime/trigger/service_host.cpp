#include "trigger/service_host.hpp"

#include <utility>

#include "config/trigger.hpp"
#include "dispatch/message_properties.hpp"
#include "mqtt/reason.hpp"
#include "plugin/host/trace_context.hpp"

namespace triggerd::trigger {
namespace {

// With a code it is the server that does not take it.
std::int32_t code_of(const Error& error) {
  if (error.code == 0) return TRIGGER_E_NOT_CONNECTED;
  return mqtt::never_taken(error.code) ? TRIGGER_E_INVALID : TRIGGER_E_FAILED;
}

}  // namespace

std::int32_t ServiceHost::complete(std::uint64_t token, plugin::Answer answer) {
  return dispatcher_.complete(token, std::move(answer));
}

std::int32_t ServiceHost::extend(std::uint64_t token, std::uint32_t ms) {
  return dispatcher_.extend(token, ms);
}

std::int32_t ServiceHost::publish(const trigger_publish& request, plugin::PublishDone done) {
  const std::span<const trigger_property> given{request.properties, request.property_count};
  auto properties = dispatch::from_abi(given);
  const std::string_view alias = request.alias.len == 0
                                     ? std::string_view(trigger_.alias)
                                     : std::string_view(request.alias.ptr, request.alias.len);
  const trigger_message* message = plugin::CurrentMessage::get();
  if (message != nullptr && message->property_count > 0 && publisher_.speaks_mqtt5(alias)) {
    const auto trace = plugin::inherited_trace(*message, given);
    for (const mqtt::Property& property : dispatch::from_abi(trace)) properties.push_back(property);
  }
  const mqtt::PublishRequest publish{.topic = {request.topic.ptr, request.topic.len},
                                     .payload = {request.payload.ptr, request.payload.len},
                                     .qos = static_cast<int>(request.qos),
                                     .retained = (request.flags & TRIGGER_PUBLISH_RETAIN) != 0,
                                     .properties = properties,
                                     // Then the attempt that it is part of is over.
                                     .wait_limit = trigger_.timeout};
  return publisher_.publish(alias, publish, [done = std::move(done)](Result<> outcome) {
    if (!done) return;
    if (outcome) {
      done(TRIGGER_OK, {});
    } else {
      done(code_of(outcome.error()), outcome.error().message);
    }
  });
}

}  // namespace triggerd::trigger
