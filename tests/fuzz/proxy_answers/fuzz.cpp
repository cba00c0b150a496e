// What a proxy answers.
#include "unit/mqtt/wire/any_proxy_answers.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  triggerd::mqtt::answer_as_any_proxy({reinterpret_cast<const char*>(data), size});
  return 0;
}
