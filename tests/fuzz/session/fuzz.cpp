// A whole connection: what a server sends, and what becomes of it.
#include "unit/mqtt/wire/any_session.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  triggerd::mqtt::wire::test::run_any_session({reinterpret_cast<const char*>(data), size});
  return 0;
}
