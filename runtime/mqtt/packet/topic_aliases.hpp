// The topic aliases that a server has given on one connection (MQTT 5.0, section 3.3.2.3.4).
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>

namespace triggerd::mqtt {

// The receive thread's own.
class TopicAliases {
 public:
  // Each costs the memory of a topic. CONNECT announces as many as the configuration says, at most.
  static constexpr std::uint16_t kMaximum = 1'000;

  // A new connection: aliases do not outlive the old one.
  void clear() { topics_.clear(); }
  // What a PUBLISH with this alias is about; its own topic is empty where the alias was given
  // earlier. nullopt: it was not, or the alias is out of range.
  std::optional<std::string_view> resolve(std::uint64_t alias, std::string_view topic);

 private:
  std::map<std::uint64_t, std::string> topics_;
};

}  // namespace triggerd::mqtt
