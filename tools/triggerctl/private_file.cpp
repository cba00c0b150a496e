#include "private_file.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>

#include "base/file.hpp"

namespace triggerctl {
namespace {

using triggerd::errno_text;
using triggerd::fail;
using triggerd::Result;
using triggerd::UniqueFd;

constexpr mode_t kOwnerAlone = 0600;

auto cannot_write(const std::filesystem::path& path, int error, const char* hint = "") {
  return fail("cannot write {}: {}{}", path.string(), errno_text(error), hint);
}

}  // namespace

Result<> make_private_file(const std::filesystem::path& path) {
  const UniqueFd fd(::open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, kOwnerAlone));
  struct stat status {};
  if (!fd || ::fstat(fd.get(), &status) != 0) return cannot_write(path, errno);
  if (S_ISREG(status.st_mode) && ::fchmod(fd.get(), kOwnerAlone) != 0) {
    return cannot_write(path, errno, "; it is somebody else's file: name another one");
  }
  return {};
}

Result<> write_private_file(const std::filesystem::path& path, std::string_view content) {
  const UniqueFd fd(::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, kOwnerAlone));
  if (!fd) {
    return cannot_write(path, errno,
                        errno == EEXIST ? "; name another file, or move that one away" : "");
  }
  if (::fchmod(fd.get(), kOwnerAlone) != 0) return cannot_write(path, errno);
  while (!content.empty()) {
    const ssize_t written = ::write(fd.get(), content.data(), content.size());
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) return cannot_write(path, errno);
    content.remove_prefix(static_cast<std::size_t>(written));
  }
  return {};
}

}  // namespace triggerctl
