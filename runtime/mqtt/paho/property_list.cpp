#include "mqtt/paho/property_list.hpp"

#include <cstddef>
#include <string_view>

namespace triggerd::mqtt {
namespace {

MQTTLenString view_for_paho(std::string_view text) {
  return {static_cast<int>(text.size()), const_cast<char*>(text.data())};
}

std::string_view view(const MQTTLenString& text) {
  return {text.data, static_cast<std::size_t>(text.len)};
}

// nullopt: none that MQTT 5 knows.
std::optional<Property> property_of(const MQTTProperty& from) {
  Property property{.id = static_cast<std::uint32_t>(from.identifier)};
  const auto type = property_type(property.id);
  if (!type) return std::nullopt;
  switch (*type) {
    case PropertyType::byte:
      property.number = from.value.byte;
      break;
    case PropertyType::two_bytes:
      property.number = from.value.integer2;
      break;
    case PropertyType::four_bytes:
    case PropertyType::variable:
      property.number = from.value.integer4;
      break;
    case PropertyType::binary:
    case PropertyType::text:
      property.value = view(from.value.data);
      break;
    case PropertyType::text_pair:
      property.name = view(from.value.data);
      property.value = view(from.value.value);
      break;
  }
  return property;
}

template <class Visit>
void for_each(const MQTTProperties& properties, Visit visit) {
  for (int i = 0; i < properties.count; ++i) {
    if (const auto property = property_of(properties.array[i])) visit(*property);
  }
}

}  // namespace

PropertyList::PropertyList(std::span<const Property> properties) {
  for (const Property& property : properties) add(property);
}

PropertyList::~PropertyList() {
  MQTTProperties_free(&list_);
}

PropertyList& PropertyList::add(const Property& property) {
  const auto type = property_type(property.id);
  if (!type) return *this;
  MQTTProperty added{};
  added.identifier = static_cast<MQTTPropertyCodes>(property.id);
  switch (*type) {
    case PropertyType::byte:
      added.value.byte = static_cast<unsigned char>(property.number);
      break;
    case PropertyType::two_bytes:
      added.value.integer2 = static_cast<unsigned short>(property.number);
      break;
    case PropertyType::four_bytes:
    case PropertyType::variable:
      added.value.integer4 = static_cast<unsigned>(property.number);
      break;
    case PropertyType::binary:
    case PropertyType::text:
      added.value.data = view_for_paho(property.value);
      break;
    case PropertyType::text_pair:
      added.value.data = view_for_paho(property.name);
      added.value.value = view_for_paho(property.value);
      break;
  }
  MQTTProperties_add(&list_, &added);
  return *this;
}

std::optional<std::uint64_t> number_of(const MQTTProperties& properties, std::uint32_t id) {
  std::optional<std::uint64_t> found;
  for_each(properties, [&](const Property& property) {
    if (property.id == id && !found) found = property.number;
  });
  return found;
}

std::string text_of(const MQTTProperties& properties, std::uint32_t id) {
  std::optional<std::string> found;
  for_each(properties, [&](const Property& property) {
    if (property.id == id && !found) found = std::string(property.value);
  });
  return found.value_or("");
}

}  // namespace triggerd::mqtt
