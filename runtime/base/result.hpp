// Result<T>: a value, or an Error that says what, where, why and what to do.
//
// Exceptions of TOML++, Boost and the standard library are caught at the edge where they enter;
// inside the runtime an error is a value.
#pragma once

#include <fmt/core.h>

#include <string>
#include <tl/expected.hpp>
#include <utility>

namespace triggerd {

struct Error {
  std::string message;
  int code = 0;  // where whoever says it has numbers for what went wrong; else 0
};

template <class T = void>
using Result = tl::expected<T, Error>;

// return fail("cannot open {}: {}", path, reason);
template <class... Args>
[[nodiscard]] tl::unexpected<Error> fail(fmt::format_string<Args...> format, Args&&... args) {
  return tl::make_unexpected(Error{fmt::format(format, std::forward<Args>(args)...)});
}

}  // namespace triggerd
