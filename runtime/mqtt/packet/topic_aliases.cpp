#include "mqtt/packet/topic_aliases.hpp"

namespace triggerd::mqtt {
std::optional<std::string_view> TopicAliases::resolve(std::uint64_t alias, std::string_view topic) {
  if (alias == 0 || alias > kMaximum) return std::nullopt;
  if (!topic.empty()) topics_[alias] = topic;
  const auto found = topics_.find(alias);
  if (found == topics_.end()) return std::nullopt;
  return found->second;
}

}  // namespace triggerd::mqtt
