// A received message, in the memory it arrived in.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <utility>

#include "base/clock.hpp"
#include "mqtt/receipt.hpp"

namespace triggerd::mqtt {

// Two pieces of memory and the function that frees them, on whichever thread the last user is.
class Buffers {
 public:
  using Release = void (*)(void* first, void* second);
  Buffers() = default;
  Buffers(void* first, void* second, Release release)
      : first_(first), second_(second), release_(release) {}
  Buffers(Buffers&& other) noexcept
      : first_(other.first_),
        second_(other.second_),
        release_(std::exchange(other.release_, nullptr)) {}
  Buffers& operator=(Buffers&& other) noexcept {
    std::swap(first_, other.first_);
    std::swap(second_, other.second_);
    std::swap(release_, other.release_);
    return *this;
  }
  // False: a message without buffers lies in memory that is used again. It is valid during the call
  // that brings it, and whoever keeps it makes a copy.
  explicit operator bool() const { return release_ != nullptr; }
  ~Buffers() {
    if (release_ != nullptr) release_(first_, second_);
  }

 private:
  void* first_ = nullptr;
  void* second_ = nullptr;
  Release release_ = nullptr;
};

// With `buffers`, `topic` and `payload` point into them, a NUL follows `topic`, and the message
// goes from the socket to the service without a copy.
struct Message {
  Buffers buffers;
  std::string_view topic;
  std::span<const std::uint8_t> payload;
  int qos = 0;
  bool retained = false;
  bool dup = false;
  std::uint16_t packet_id = 0;  // QoS 1 and 2
  bool mqtt5 = false;           // came over MQTT 5: `properties` mean something
  std::string properties = {};  // as in properties.hpp; without the topic alias, which is resolved
  Wall received{};
  // When the message expires (MQTT 5). Not by the wall clock, which may be set.
  Monotonic expires = Monotonic::max();
  Receipt receipt;
};

}  // namespace triggerd::mqtt
