#include "mqtt/topic_aliases.hpp"

#include "mqtt/properties.hpp"

namespace triggerd::mqtt {
namespace {

constexpr std::size_t kPacketId = 2;

std::string_view take(std::string_view& bytes, std::size_t size) {
  const std::string_view taken = bytes.substr(0, size);
  bytes.remove_prefix(taken.size());
  return taken;
}

}  // namespace

std::optional<std::string_view> TopicAliases::resolve(std::uint64_t alias, std::string_view topic) {
  if (alias == 0 || alias > kMaximum) return std::nullopt;
  if (!topic.empty()) topics_[alias] = topic;
  const auto found = topics_.find(alias);
  if (found == topics_.end()) return std::nullopt;
  return found->second;
}

void TopicAliases::learn(std::string_view packet) {
  if (packet.empty()) return;
  packet.remove_prefix(1);
  if (!take_variable(packet) || packet.size() < 2) return;
  const auto high = static_cast<std::uint8_t>(packet[0]);
  const auto size = static_cast<std::size_t>(high) << 8 | static_cast<std::uint8_t>(packet[1]);
  packet.remove_prefix(2);
  const std::string_view topic = take(packet, size);
  take(packet, kPacketId);
  const auto length = take_variable(packet);
  if (!length) return;
  const auto properties = decode_properties(take(packet, *length));
  if (!properties) return;
  if (const Property* alias = find_property(*properties, property::kTopicAlias)) {
    (void)resolve(alias->number, topic);
  }
}

}  // namespace triggerd::mqtt
