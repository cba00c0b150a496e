// How long each part of a stop may take.
#pragma once

#include "base/clock.hpp"

namespace triggerd::trigger {

inline constexpr Millis kServiceGrace{1'000};     // for the service calls under way
inline constexpr Millis kDisconnectGrace{2'000};  // for saying goodbye to the servers
inline constexpr Millis kLastWrite{500};          // for the inbox

}  // namespace triggerd::trigger
