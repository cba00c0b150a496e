// Whether what a plugin passes to a host function may be used: no NULL where bytes should be, no
// length beyond what MQTT allows, no unknown flag or code.
//
// Pure functions of their arguments. [any]
#pragma once

#include <trigger/plugin.h>

#include <cstddef>
#include <cstdint>

namespace triggerd::plugin {

// A part that points to at most `limit` bytes, which are there.
template <class Part>
bool is_sound(const Part& part, std::size_t limit) {
  return part.len <= limit && (part.ptr != nullptr || part.len == 0);
}

bool valid_publish(const trigger_publish* request);
// The result of a call of complete().
bool valid_completion(const trigger_result* result);
// Whether a code may end an attempt.
bool is_verdict(std::int32_t code);

}  // namespace triggerd::plugin
