// Result<T>: a value, or an Error that says what went wrong, where, why, and what to do.
//
// Exceptions of TOML++, Boost and the standard library are caught where they enter; inside the
// runtime an error is a value.
#pragma once

#include <fmt/core.h>

#include <string>
#include <tl/expected.hpp>
#include <utility>

namespace triggerd {

struct Error {
  std::string message;
  int code = 0;  // as documented by the function that returns it; 0 if it has none
};

template <class T = void>
using Result = tl::expected<T, Error>;

// return fail("cannot open {}: {}", path, reason);
template <class... Args>
[[nodiscard]] tl::unexpected<Error> fail(fmt::format_string<Args...> format, Args&&... args) {
  return tl::make_unexpected(Error{fmt::format(format, std::forward<Args>(args)...)});
}

}  // namespace triggerd
