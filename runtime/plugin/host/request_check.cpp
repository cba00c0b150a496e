#include "plugin/host/request_check.hpp"

#include <algorithm>

namespace triggerd::plugin {
namespace {

// What ABI 1.0 had. Constants, since sizeof grows with the header.
constexpr std::uint32_t kResultSize10 =
    offsetof(trigger_result, reason) + sizeof trigger_result::reason;
constexpr std::uint32_t kPublishSize10 = offsetof(trigger_publish, user) + sizeof(void*);

// The limits of MQTT itself (MQTT 3.1.1, sections 1.5.3 and 2.2.3); beyond them a length is a bug
// and no bytes stand behind it.
constexpr std::size_t kMaxTopicBytes = 65'535;
constexpr std::size_t kMaxPayloadBytes = 268'435'455;
constexpr std::size_t kMaxAliasBytes = 1'024;
constexpr std::size_t kMaxProperties = 65'535;

bool valid_property(const trigger_property& property) {
  return is_sound(property.name, kMaxTopicBytes) && is_sound(property.value, kMaxTopicBytes);
}

}  // namespace

bool valid_publish(const trigger_publish* request) {
  if (request == nullptr || request->struct_size < kPublishSize10) return false;
  if ((request->flags & ~TRIGGER_PUBLISH_RETAIN) != 0 || request->qos > 2) return false;
  if (!is_sound(request->alias, kMaxAliasBytes) || !is_sound(request->topic, kMaxTopicBytes) ||
      request->topic.len == 0 || !is_sound(request->payload, kMaxPayloadBytes)) {
    return false;
  }
  if (request->property_count > kMaxProperties) return false;
  if (request->property_count == 0) return true;
  return request->properties != nullptr &&
         std::all_of(request->properties, request->properties + request->property_count,
                     valid_property);
}

bool valid_completion(const trigger_result* result) {
  return result != nullptr && result->struct_size >= kResultSize10 && is_verdict(result->code);
}

bool is_verdict(std::int32_t code) {
  return code == TRIGGER_OK || code == TRIGGER_RETRY || code == TRIGGER_REJECT ||
         code == TRIGGER_UNAVAILABLE;
}

}  // namespace triggerd::plugin
