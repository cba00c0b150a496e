// The properties of MQTT 5 packets (MQTT 5.0, section 2.2.2).
//
// A message carries them as the bytes that they are on the wire, without the length in front of
// them, so their order and duplicates are kept in memory and in the inbox. Pure functions, any
// thread.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.hpp"

namespace triggerd::mqtt {

// The identifiers that this runtime knows.
namespace property {
inline constexpr std::uint32_t kPayloadFormat = 0x01;
inline constexpr std::uint32_t kMessageExpiry = 0x02;
inline constexpr std::uint32_t kContentType = 0x03;
inline constexpr std::uint32_t kResponseTopic = 0x08;
inline constexpr std::uint32_t kCorrelationData = 0x09;
inline constexpr std::uint32_t kSubscriptionId = 0x0b;
inline constexpr std::uint32_t kSessionExpiry = 0x11;
inline constexpr std::uint32_t kServerKeepAlive = 0x13;
inline constexpr std::uint32_t kServerReference = 0x1c;
inline constexpr std::uint32_t kReasonString = 0x1f;
inline constexpr std::uint32_t kReceiveMaximum = 0x21;
inline constexpr std::uint32_t kTopicAliasMaximum = 0x22;
inline constexpr std::uint32_t kTopicAlias = 0x23;
inline constexpr std::uint32_t kMaximumQos = 0x24;
inline constexpr std::uint32_t kRetainAvailable = 0x25;
inline constexpr std::uint32_t kUser = 0x26;
inline constexpr std::uint32_t kMaximumPacketSize = 0x27;
}  // namespace property

// How the value of a property is written.
enum class PropertyType { byte, two_bytes, four_bytes, variable, binary, text, text_pair };
// Whether it can be what the standard calls a UTF-8 encoded string: short enough, and without NUL.
bool is_text(std::string_view text);
// nullopt: MQTT 5 has no such property.
std::optional<PropertyType> property_type(std::uint32_t id);

// One property. Integers are in `number`, text and binary data in `value`; a user property has
// `name` and `value`.
struct Property {
  std::uint32_t id = 0;
  std::uint64_t number = 0;
  std::string_view name = {};
  std::string_view value = {};
  friend bool operator==(const Property&, const Property&) = default;
};

// Appends one property. A value that does not fit its type is cut.
void encode_property(std::string& bytes, const Property& property);
// The properties point into `bytes`.
Result<std::vector<Property>> decode_properties(std::string_view bytes);
// Takes a variable byte integer off the front; nullopt: it is not all there.
std::optional<std::size_t> take_variable(std::string_view& bytes);
// The size of a variable byte integer in bytes.
std::size_t variable_size(std::uint64_t value);
// The first with this id; null: there is none.
const Property* find_property(std::span<const Property> properties, std::uint32_t id);
// The first user property with this name; nullopt also when `bytes` cannot be read.
std::optional<std::string> user_property(std::string_view bytes, std::string_view name);

// Whether a client may publish with these properties (MQTT 5.0, section 3.3.2.3); the error names
// one with which it may not. A server ends the connection of a client that does so all the same.
Result<> check_publish_properties(std::span<const Property> properties);
// Those properties of a received message that may be published again as they are.
std::vector<Property> publishable(std::span<const Property> properties);

}  // namespace triggerd::mqtt
