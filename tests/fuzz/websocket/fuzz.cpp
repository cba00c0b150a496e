// What a server sends on a WebSocket: its answer to the upgrade, and frames.
#include "unit/mqtt/wire/any_websocket.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  triggerd::mqtt::wire::test::receive_any_bytes({reinterpret_cast<const char*>(data), size});
  return 0;
}
