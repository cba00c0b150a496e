// The topic aliases that a server has assigned on one connection (MQTT 5.0, section 3.3.2.3.4).
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>

namespace triggerd::mqtt {

// Belongs to the receive thread.
class TopicAliases {
 public:
  // Each costs the memory of a topic. CONNECT announces at most as many, as the configuration says.
  static constexpr std::uint16_t kMaximum = 1'000;

  // A new connection: aliases do not outlive the old one.
  void clear() { topics_.clear(); }
  // The topic of a PUBLISH with this alias. A PUBLISH that has a `topic` assigns the alias; in one
  // that uses it, `topic` is empty. nullopt: it was not assigned, or is out of range.
  std::optional<std::string_view> resolve(std::uint64_t alias, std::string_view topic);

 private:
  std::map<std::uint64_t, std::string> topics_;
};

}  // namespace triggerd::mqtt
