// The properties of a packet of MQTT 5.
#include "unit/mqtt/packet/any_properties.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  triggerd::mqtt::look_at_any_properties({reinterpret_cast<const char*>(data), size});
  return 0;
}
