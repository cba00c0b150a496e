#include "config/tree.hpp"

#include <array>

namespace triggerd::config {

std::string_view type_name(const Node& node) {
  constexpr std::array<std::string_view, 7> kNames{
      "a string", "an integer", "a float", "a boolean", "a date or time", "an array", "a table"};
  static_assert(kNames.size() == std::variant_size_v<decltype(Node::value)>);
  return kNames[node.value.index()];
}

}  // namespace triggerd::config
