// The properties of MQTT 5 packets (MQTT 5.0, section 2.2.2).
//
// A message carries them as the bytes they have on the wire, without their length in front: their
// order and duplicates stay as they came, through memory and inbox. Pure functions, any thread.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.hpp"

namespace triggerd::mqtt {

// The identifiers that this runtime has to know.
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
// Whether it is what the standard calls a UTF-8 string: short enough, and without NUL.
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

// Appends it. A value that does not fit its type is cut.
void encode_property(std::string& bytes, const Property& property);
// They point into `bytes`.
Result<std::vector<Property>> decode_properties(std::string_view bytes);
// Takes a variable byte integer off the front; nullopt where it is not all there.
std::optional<std::size_t> take_variable(std::string_view& bytes);
// How many bytes a variable byte integer takes.
std::size_t variable_size(std::uint64_t value);
// The first with this id.
const Property* find_property(std::span<const Property> properties, std::uint32_t id);
// The first user property with this name; of bytes that cannot be read, none.
std::optional<std::string> user_property(std::string_view bytes, std::string_view name);

// Whether a client may publish with them (MQTT 5.0, section 3.3.2.3): the error says which not. A
// server ends the connection of a client that does not keep to this.
Result<> check_publish_properties(std::span<const Property> properties);
// Those of a received message that may be published again as they are.
std::vector<Property> publishable(std::span<const Property> properties);

}  // namespace triggerd::mqtt
