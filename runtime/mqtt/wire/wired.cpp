#include "mqtt/wire/wire.hpp"

// Defined by the wrapped library (wired_mark.c) and by nothing else.
extern "C" __attribute__((weak)) const char triggerd_paho_is_wired;

namespace triggerd::mqtt::wire {

bool wired() {
  return &triggerd_paho_is_wired != nullptr;
}

}  // namespace triggerd::mqtt::wire
