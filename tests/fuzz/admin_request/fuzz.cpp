// A request to the administrator, behind the HTTP library: its target, its route, its body.
#include <cstddef>
#include <cstdint>

#include "unit/admin/any_request.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const int status =
      triggerd::test::answer_any_request({reinterpret_cast<const char*>(data), size});
  if (status != 0 && (status < 200 || status > 503)) abort();
  return 0;
}
