#include "mqtt/tls/memory_file.hpp"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>

namespace triggerd::mqtt::tls {

Result<MemoryFile> MemoryFile::make(std::string_view content) {
  MemoryFile file;
  file.fd_ = UniqueFd(::memfd_create("triggerd-tls", MFD_CLOEXEC | MFD_ALLOW_SEALING));
  if (!file.fd_) return fail("cannot create a file in memory: {}", errno_text(errno));
  const int fd = file.fd_.get();
  while (!content.empty()) {
    const ssize_t written = ::write(fd, content.data(), content.size());
    if (written < 0 && errno == EINTR) continue;
    if (written <= 0) return fail("cannot write a file in memory: {}", errno_text(errno));
    content.remove_prefix(static_cast<std::size_t>(written));
  }
  if (::fchmod(fd, S_IRUSR) != 0 ||
      ::fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE | F_SEAL_SEAL) != 0) {
    return fail("cannot seal a file in memory: {}", errno_text(errno));
  }
  file.path_ = fmt::format("/proc/self/fd/{}", fd);
  // A container without /proc is told here, and not by a connect that fails.
  if (::access(file.path_.c_str(), R_OK) != 0) {
    return fail("cannot open {}: {}; TLS needs /proc mounted", file.path_, errno_text(errno));
  }
  return file;
}

}  // namespace triggerd::mqtt::tls
