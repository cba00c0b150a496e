// How deep JSON nests, found without recursion and before it is parsed. For plugins too: C++17, and
// no other header of runtime/.
#pragma once

#include <cstddef>
#include <string_view>

namespace triggerd {

// Whether more than `limit` arrays and objects are open at once. Where `text` is no JSON the answer
// may be either, so whoever asks parses it as well.
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
