// The ABI's texts and bytes as views. An empty one may be NULL in the ABI; its view is never null.
#pragma once

#include <trigger/plugin.h>

#include <string_view>

namespace triggerd::plugin {

inline std::string_view view(const trigger_str& text) {
  return {text.len == 0 ? "" : text.ptr, text.len};
}
inline std::string_view view(const trigger_bytes& bytes) {
  return {bytes.len == 0 ? "" : reinterpret_cast<const char*>(bytes.ptr), bytes.len};
}

}  // namespace triggerd::plugin
