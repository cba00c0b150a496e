#include "dispatch/message_properties.hpp"

#include "plugin/abi_text.hpp"

namespace triggerd::dispatch {

using plugin::view;

std::unique_ptr<const MessageProperties> MessageProperties::of(std::string_view bytes) {
  if (bytes.empty()) return nullptr;
  const auto properties = mqtt::decode_properties(bytes);
  if (!properties) return nullptr;  // never written by this runtime
  std::unique_ptr<MessageProperties> made(new MessageProperties);
  made->list_.reserve(properties->size());
  made->names_.reserve(properties->size());  // short names lie within the strings: none may move
  for (const mqtt::Property& property : *properties) {
    const std::string& name = made->names_.emplace_back(property.name);
    made->list_.push_back({.id = property.id,
                           .reserved = 0,
                           .number = property.number,
                           .name = {name.c_str(), name.size()},
                           .value = {reinterpret_cast<const std::uint8_t*>(property.value.data()),
                                     property.value.size()}});
  }
  return made;
}

std::vector<mqtt::Property> from_abi(std::span<const trigger_property> properties) {
  std::vector<mqtt::Property> list;
  list.reserve(properties.size());
  for (const trigger_property& property : properties) {
    list.push_back({.id = property.id,
                    .number = property.number,
                    .name = view(property.name),
                    .value = view(property.value)});
  }
  return list;
}

}  // namespace triggerd::dispatch
