// What a server sends.
#include "unit/mqtt/packet/any_packets.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  triggerd::mqtt::look_at_any_packets({reinterpret_cast<const char*>(data), size});
  return 0;
}
