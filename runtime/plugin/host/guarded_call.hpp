// Calls into a plugin. The ABI forbids exceptions to cross it; one that does all the same is the
// plugin's bug and must not end the process.
#pragma once

#include <trigger/plugin.h>

#include <cstdint>
#include <cstring>
#include <exception>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "base/result.hpp"
#include "base/text.hpp"

namespace triggerd::plugin {

// Calls `call`. Returns the text of an exception that came out of it, else nullopt. An exception of
// another copy of the C++ library, which a plugin may contain, has no text that can be read.
template <class Call>
std::optional<std::string> guarded(Call&& call) {
  try {
    std::forward<Call>(call)();
    return std::nullopt;
  } catch (const std::exception& e) {
    return std::string(e.what()).substr(0, sizeof(trigger_result::reason) - 1);
  } catch (...) {
    return "not a std::exception";
  }
}

// An empty result, as the host passes it to a plugin.
inline trigger_result empty_result() {
  trigger_result result{};
  result.struct_size = sizeof result;
  return result;
}

// The reason in `result`, even if the plugin has overwritten its NUL.
inline std::string reason_of(const trigger_result& result) {
  return {result.reason, ::strnlen(result.reason, sizeof result.reason)};
}

// Calls the function `name`, such as create or start, which returns a code and, in a result, the
// reason of an error.
template <class Call>
Result<> call_for_result(std::string_view name, Call&& call) {
  trigger_result error = empty_result();
  std::int32_t code = TRIGGER_E_FAILED;
  if (const auto thrown = guarded([&] { code = call(&error); })) {
    return fail("{} threw an exception across the C ABI: {}", name, *thrown);
  }
  if (code == TRIGGER_OK) return {};
  const std::string reason = printable(reason_of(error), sizeof error.reason);
  return fail("{} ({} returned {})", reason.empty() ? "it gave no reason" : reason, name, code);
}

}  // namespace triggerd::plugin
