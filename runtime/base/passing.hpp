// Errors that may be gone at the next try without anybody having changed a file.
#pragma once

#include <cerrno>

#include "base/file.hpp"
#include "base/result.hpp"

namespace triggerd {

// Whether the error comes from the machine's state: no space, no memory, no descriptors, a failing
// disk.
inline bool may_pass(int error) {
  switch (error) {
    case ENOSPC:
    case EDQUOT:
    case EIO:
    case EROFS:
    case ENOMEM:
    case EMFILE:
    case ENFILE:
    case EAGAIN:
      return true;
    default:
      return false;
  }
}

// An error that ends in the text of errno. Its code is that errno if the error may pass, else 0.
template <class... Args>
[[nodiscard]] tl::unexpected<Error> fail_with(int error, fmt::format_string<Args...> format,
                                              Args&&... args) {
  return tl::make_unexpected(Error{
      fmt::format("{}: {}", fmt::format(format, std::forward<Args>(args)...), errno_text(error)),
      may_pass(error) ? error : 0});
}

}  // namespace triggerd
