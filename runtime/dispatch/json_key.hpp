// A value of a payload in JSON, as the key of a message. Pure, any thread.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>

namespace triggerd::dispatch {

struct JsonKey {
  std::string text;  // as JSON
  // A text that is not empty, or a whole number of up to 64 bits: no other value reads the same.
  bool is_id = false;
};

// nullopt: the payload is not JSON, has nothing at `pointer` (RFC 6901), or has an array or an
// object there.
std::optional<JsonKey> json_key(const std::string& pointer, std::span<const std::uint8_t> payload);

}  // namespace triggerd::dispatch
