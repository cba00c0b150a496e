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
using triggerd::write_all;

constexpr mode_t kOwnerAlone = 0600;

auto cannot_write(const std::filesystem::path& path, int error, const char* hint = "") {
  return fail("cannot write {}: {}{}", path.string(), errno_text(error), hint);
}

}  // namespace

Result<> make_private_file(const std::filesystem::path& path) {
  const UniqueFd fd(::open(path.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, kOwnerAlone));
  struct stat status {};
  if (!fd || ::fstat(fd.get(), &status) != 0) return cannot_write(path, errno);
  if (!S_ISREG(status.st_mode)) return {};
  if (::fchmod(fd.get(), kOwnerAlone) != 0) {
    return cannot_write(path, errno, "; it is somebody else's file: name another one");
  }
  if (::ftruncate(fd.get(), 0) != 0) return cannot_write(path, errno);
  return {};
}

Result<> write_private_file(const std::filesystem::path& path, std::string_view content) {
  const UniqueFd fd(::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, kOwnerAlone));
  if (!fd) {
    return cannot_write(path, errno,
                        errno == EEXIST ? "; name another file, or move that one away" : "");
  }
  Result<> done;
  if (::fchmod(fd.get(), kOwnerAlone) != 0) done = cannot_write(path, errno);
  if (done) done = write_all(fd.get(), content, path);
  if (!done) ::unlink(path.c_str());
  return done;
}

}  // namespace triggerctl
