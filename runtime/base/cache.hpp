// What threads on two processors that hand memory to each other do about its cache lines.
#pragma once

#include <cstddef>

namespace triggerd {

// Of the machines we know. Members that different threads write lie so far apart.
inline constexpr std::size_t kCacheLine = 64;

// Asks for memory that another processor has written last, and that is wanted soon: what would be
// waited for line by line comes meanwhile. No more than a hint.
inline void fetch_to_write(const void* memory, std::size_t size) {
  for (std::size_t at = 0; at < size; at += kCacheLine) {
    __builtin_prefetch(static_cast<const char*>(memory) + at, 1);
  }
}

}  // namespace triggerd
