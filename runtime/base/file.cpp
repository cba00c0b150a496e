#include "base/file.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <system_error>

namespace triggerd {

void UniqueFd::reset() {
  if (fd_ >= 0) ::close(fd_);
  fd_ = -1;
}

std::string errno_text(int error) {
  return std::generic_category().message(error);
}

std::optional<FileIdentity> identity_of_file(const std::filesystem::path& path) {
  struct stat status {};
  if (::stat(path.c_str(), &status) != 0) return std::nullopt;
  return FileIdentity{status.st_dev, status.st_ino};
}

std::string fingerprint_of_file(const std::filesystem::path& path) {
  struct stat status {};
  if (::stat(path.c_str(), &status) != 0) return "-";
  return fmt::format("{} {} {} {}.{} {}.{}", status.st_dev, status.st_ino, status.st_size,
                     status.st_mtim.tv_sec, status.st_mtim.tv_nsec, status.st_ctim.tv_sec,
                     status.st_ctim.tv_nsec);
}

Result<> write_all(int fd, std::string_view bytes, const std::filesystem::path& path) {
  while (!bytes.empty()) {
    const ssize_t put = ::write(fd, bytes.data(), bytes.size());
    if (put < 0 && errno == EINTR) continue;
    if (put < 0) return fail("cannot write {}: {}", path.string(), errno_text(errno));
    bytes.remove_prefix(static_cast<std::size_t>(put));
  }
  return {};
}

Result<> sync_to_disk(int fd, const std::filesystem::path& path) {
  if (::fsync(fd) != 0) {
    return fail("cannot bring {} to the disk: {}", path.string(), errno_text(errno));
  }
  return {};
}

Result<> sync_folder(const std::filesystem::path& folder) {
  const UniqueFd fd(::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!fd) return fail("cannot open {}: {}", folder.string(), errno_text(errno));
  return sync_to_disk(fd.get(), folder);
}

Result<UniqueFd> replace_private_file(const std::filesystem::path& path, std::string_view bytes,
                                      const Replacement& how) {
  const std::string temporary = path.string() + ".new";
  ::unlink(temporary.c_str());
  UniqueFd fd(::open(temporary.c_str(),
                     O_WRONLY | O_CREAT | O_EXCL | O_APPEND | O_NOFOLLOW | O_CLOEXEC, 0600));
  if (!fd || ::fchmod(fd.get(), 0600) != 0) {
    return fail("cannot write {}: {}", temporary, errno_text(errno));
  }
  Result<> done = write_all(fd.get(), bytes, temporary);
  if (done && how.prepare) done = how.prepare(fd.get());
  if (done && how.to_disk) done = sync_to_disk(fd.get(), temporary);
  if (done && ::rename(temporary.c_str(), path.c_str()) != 0) {
    done = fail("cannot rename {} to {}: {}", temporary, path.string(), errno_text(errno));
  }
  if (!done) {
    ::unlink(temporary.c_str());
    return tl::make_unexpected(done.error());
  }
  if (!how.to_disk) return fd;
  const std::filesystem::path folder = path.parent_path();
  if (auto synced = sync_folder(folder.empty() ? "." : folder); !synced) {
    return tl::make_unexpected(synced.error());
  }
  return fd;
}

Result<std::string> read_file(const std::filesystem::path& path, std::size_t limit) {
  // O_NONBLOCK: opening a FIFO must not wait for a writer.
  const UniqueFd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
  if (!fd) return fail("cannot open {}: {}", path.string(), errno_text(errno));
  struct stat status {};
  if (::fstat(fd.get(), &status) != 0) {
    return fail("cannot read {}: {}", path.string(), errno_text(errno));
  }
  if (!S_ISREG(status.st_mode)) return fail("cannot read {}: not a regular file", path.string());
  std::string content;
  char block[16384];
  for (;;) {
    const ssize_t got = ::read(fd.get(), block, sizeof block);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return fail("cannot read {}: {}", path.string(), errno_text(errno));
    if (got == 0) return content;
    content.append(block, static_cast<std::size_t>(got));
    if (content.size() > limit) {
      return fail("cannot read {}: larger than {} bytes", path.string(), limit);
    }
  }
}

}  // namespace triggerd
