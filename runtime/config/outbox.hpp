// [aliases.NAME] outbox: what is published while the server is away is kept.
#pragma once

#include <cstdint>

#include "config/place.hpp"

namespace triggerd::config {

struct Outbox {
  // What becomes of a message for which there is no room.
  enum class WhenFull { refuse, drop_oldest };
  std::uint64_t max_size = 100ULL << 20;  // bytes of topics, payloads and properties
  Place max_size_place;
  WhenFull when_full = WhenFull::refuse;
};

}  // namespace triggerd::config
