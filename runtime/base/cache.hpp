// Cache lines, for threads on different processors that hand memory to each other.
#pragma once

#include <cstddef>

namespace triggerd {

// On the machines we support. Members that different threads write should be this far apart.
inline constexpr std::size_t kCacheLine = 64;

// Prefetches memory that another processor wrote last and that this thread writes soon, so that it
// does not wait for one line after another. Only a hint.
inline void fetch_to_write(const void* memory, std::size_t size) {
  for (std::size_t at = 0; at < size; at += kCacheLine) {
    __builtin_prefetch(static_cast<const char*>(memory) + at, 1);
  }
}

}  // namespace triggerd
