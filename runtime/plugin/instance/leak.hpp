// Leaking on purpose, for objects that are used by code which cannot be stopped.
#pragma once

#include <memory>
#include <utility>

// Defined if a leak checker is linked in, which chose the name.
// NOLINTNEXTLINE(bugprone-reserved-identifier)
extern "C" __attribute__((weak)) void __lsan_ignore_object(const void* object);

namespace triggerd::plugin {

// Keeps `object` until the process ends, and tells a leak checker that this is intended.
template <class T>
void leak(T object) {
  const auto* const kept = new T(std::move(object));
  if (__lsan_ignore_object != nullptr) __lsan_ignore_object(kept);
}

}  // namespace triggerd::plugin
