// Whether bytes are text.
#pragma once

#include <cstddef>
#include <string_view>
#include <trigger/cpp/text.hpp>

namespace plugin_common {

inline bool is_utf8(std::string_view text) {
  while (!text.empty()) {
    const std::size_t length = trigger::detail::utf8_sequence(text);
    if (length == 0) return false;
    text.remove_prefix(length);
  }
  return true;
}

}  // namespace plugin_common
