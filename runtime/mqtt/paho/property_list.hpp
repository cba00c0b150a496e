// Paho's MQTTProperties, and ours.
#pragma once

#include <MQTTAsync.h>

#include <cstdint>
#include <optional>
#include <span>
#include <string>

#include "mqtt/packet/properties.hpp"

namespace triggerd::mqtt {

// A list for one call of Paho, which copies it.
class PropertyList {
 public:
  PropertyList() = default;
  explicit PropertyList(std::span<const Property> properties);
  ~PropertyList();
  PropertyList(const PropertyList&) = delete;
  PropertyList& operator=(const PropertyList&) = delete;

  PropertyList& add(const Property& property);
  MQTTProperties& list() { return list_; }

 private:
  MQTTProperties list_ = MQTTProperties_initializer;
};

// The number of the first such property.
std::optional<std::uint64_t> number_of(const MQTTProperties& properties, std::uint32_t id);
// The text of the first such property; empty where there is none.
std::string text_of(const MQTTProperties& properties, std::uint32_t id);

}  // namespace triggerd::mqtt
