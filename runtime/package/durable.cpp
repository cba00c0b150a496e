#include "package/durable.hpp"

#include <fcntl.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <string>

namespace triggerd::package {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kStagingPrefix = ".staging-";

auto cannot_write(const fs::path& path, int error) {
  return fail("cannot write {}: {}", path.string(), errno_text(error));
}

}  // namespace

Result<> write_all(int fd, std::string_view bytes, const fs::path& path) {
  while (!bytes.empty()) {
    const ssize_t put = ::write(fd, bytes.data(), bytes.size());
    if (put < 0 && errno == EINTR) continue;
    if (put < 0) return cannot_write(path, errno);
    bytes.remove_prefix(static_cast<std::size_t>(put));
  }
  return {};
}

Result<> sync(int fd, const fs::path& path) {
  if (::fsync(fd) != 0) return cannot_write(path, errno);
  return {};
}

Result<> sync_folder(const fs::path& folder) {
  const UniqueFd fd(::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!fd) return cannot_write(folder, errno);
  return sync(fd.get(), folder);
}

Result<> write_file(const fs::path& path, std::string_view content, mode_t mode) {
  std::string name = (path.parent_path() / ("." + path.filename().string() + ".XXXXXX")).string();
  const UniqueFd fd(::mkostemp(name.data(), O_CLOEXEC));
  if (!fd) return cannot_write(path, errno);
  Result<> done = write_all(fd.get(), content, path);
  if (done && ::fchmod(fd.get(), mode) != 0) done = cannot_write(path, errno);
  if (done) done = sync(fd.get(), path);
  if (done && ::rename(name.c_str(), path.c_str()) != 0) done = cannot_write(path, errno);
  if (!done) {
    ::unlink(name.c_str());
    return done;
  }
  return sync_folder(path.has_parent_path() ? path.parent_path() : fs::path("."));
}

Result<Staging> Staging::make(const fs::path& parent) {
  std::string name = (parent / (std::string(kStagingPrefix) + "XXXXXX")).string();
  if (::mkdtemp(name.data()) == nullptr) {
    return fail("cannot make a folder in {}: {}", parent.string(), errno_text(errno));
  }
  return Staging(name);
}

void Staging::remove_leftovers(const fs::path& parent) {
  std::error_code error;
  for (fs::directory_iterator entry(parent, error), end; !error && entry != end;
       entry.increment(error)) {
    std::error_code ignored;
    if (entry->path().filename().string().starts_with(kStagingPrefix)) {
      fs::remove_all(entry->path(), ignored);
    }
  }
}

Staging::~Staging() {
  std::error_code ignored;
  if (!path_.empty()) fs::remove_all(path_, ignored);
}

Result<FolderLock> FolderLock::take(const fs::path& folder) {
  std::error_code error;
  fs::create_directories(folder, error);
  if (error) return fail("cannot make {}: {}", folder.string(), error.message());
  const fs::path path = folder / ".lock";
  UniqueFd fd(::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600));
  if (!fd) return fail("cannot open {}: {}", path.string(), errno_text(errno));
  if (::flock(fd.get(), LOCK_EX | LOCK_NB) != 0) {
    if (errno != EWOULDBLOCK) return fail("cannot lock {}: {}", path.string(), errno_text(errno));
    return fail("another command is changing the packages in {}; try again when it is done",
                folder.string());
  }
  return FolderLock(std::move(fd));
}

}  // namespace triggerd::package
