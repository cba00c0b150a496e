// How deeply JSON is nested, found without recursion before it is parsed. Plugins use it too, so it
// is C++17 and includes no other header of runtime/.
#pragma once

#include <cstddef>
#include <string_view>

namespace triggerd {

// Whether more than `limit` arrays and objects are open at once. For a text that is not JSON the
// answer may be either, so the caller has to parse it as well.
inline bool json_is_deeper_than(std::string_view text, std::size_t limit) {
  std::size_t depth = 0;
  bool in_string = false;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (in_string) {
      if (c == '\\') ++i;
      if (c == '"') in_string = false;
    } else if (c == '"') {
      in_string = true;
    } else if (c == '[' || c == '{') {
      if (++depth > limit) return true;
    } else if ((c == ']' || c == '}') && depth > 0) {
      --depth;
    }
  }
  return false;
}

}  // namespace triggerd
