#include "admin/unix_socket.hpp"

#include <fcntl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <optional>

namespace triggerd::admin {
namespace {

// An address for `path`. One that is too long for it is written by way of its folder's descriptor,
// which has to stay open meanwhile (proc(5), /proc/self/fd).
struct Address {
  sockaddr_un address{};
  UniqueFd folder;
};

std::optional<Address> address_of(const std::filesystem::path& path) {
  Address result;
  result.address.sun_family = AF_UNIX;
  std::string name = path.string();
  if (name.size() >= sizeof result.address.sun_path) {
    result.folder = UniqueFd(::open(path.parent_path().c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
    if (!result.folder) return std::nullopt;
    name = fmt::format("/proc/self/fd/{}/{}", result.folder.get(), path.filename().string());
    if (name.size() >= sizeof result.address.sun_path) {
      errno = ENAMETOOLONG;
      return std::nullopt;
    }
  }
  std::memcpy(result.address.sun_path, name.c_str(), name.size() + 1);
  return result;
}

const sockaddr* as_sockaddr(const Address& address) {
  return reinterpret_cast<const sockaddr*>(&address.address);
}

}  // namespace

tl::expected<UniqueFd, int> connect_unix(const std::filesystem::path& path) {
  UniqueFd fd(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  if (!fd) return tl::make_unexpected(errno);
  const auto address = address_of(path);
  if (!address) return tl::make_unexpected(errno);
  if (::connect(fd.get(), as_sockaddr(*address), sizeof address->address) != 0) {
    return tl::make_unexpected(errno);
  }
  return fd;
}

namespace {

// Whether what is there may be replaced.
Result<> replaceable(const std::filesystem::path& path) {
  struct stat status {};
  if (::lstat(path.c_str(), &status) != 0) {
    if (errno == ENOENT) return {};
    return fail("cannot use {} as [admin] socket: {}", path.string(), errno_text(errno));
  }
  if (!S_ISSOCK(status.st_mode)) {
    return fail(
        "cannot use {} as [admin] socket: it exists and is not a socket; remove it, or name "
        "another file",
        path.string());
  }
  if (status.st_uid != ::geteuid()) {
    return fail(
        "cannot use {} as [admin] socket: it belongs to user {}; remove it, or name "
        "another file",
        path.string(), status.st_uid);
  }
  const auto connected = connect_unix(path);
  if (connected) {
    return fail(
        "cannot use {} as [admin] socket: another process listens on it; stop that, or "
        "name another file",
        path.string());
  }
  if (connected.error() != ECONNREFUSED && connected.error() != ENOENT) {
    return fail(
        "cannot use {} as [admin] socket: it exists, and checking whether somebody listens on it "
        "failed: {}",
        path.string(), errno_text(connected.error()));
  }
  return {};
}

}  // namespace

Result<UnixListener> UnixListener::listen(const std::filesystem::path& path) {
  if (auto may = replaceable(path); !may) return tl::make_unexpected(may.error());
  UniqueFd fd(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  const auto failed = [&path](const char* what) {
    return fail("cannot listen on {} ([admin] socket): {}: {}", path.string(), what,
                errno_text(errno));
  };
  if (!fd) return failed("socket");
  // The file gets the mode that its socket has, so that nobody else can ever open it: unlike
  // umask(2), which is the whole process's.
  if (::fchmod(fd.get(), 0600) != 0) return failed("fchmod");
  // Made beside it and put in its place in one step.
  std::filesystem::path fresh = path;
  fresh.replace_filename(fmt::format(".{}.{}", path.filename().string(), ::getpid()));
  (void)::unlink(fresh.c_str());
  const auto address = address_of(fresh);
  if (!address) return failed("open");
  if (::bind(fd.get(), as_sockaddr(*address), sizeof address->address) != 0) return failed("bind");
  struct stat status {};
  const char* what = nullptr;
  if (::lstat(fresh.c_str(), &status) != 0) {
    what = "stat";
  } else if ((status.st_mode & 07777 & ~0600U) != 0 || status.st_uid != ::geteuid()) {
    errno = EPERM;  // a file system without modes or owners
    what = "cannot restrict it to its owner";
  } else if (::listen(fd.get(), SOMAXCONN) != 0) {
    what = "listen";
  } else if (::rename(fresh.c_str(), path.c_str()) != 0) {
    what = "rename";
  }
  if (what != nullptr) {
    const int error = errno;
    (void)::unlink(fresh.c_str());
    errno = error;
    return failed(what);
  }
  return UnixListener(path, std::move(fd), status.st_dev, status.st_ino);
}

UnixListener::~UnixListener() {
  if (path_.empty()) return;
  struct stat status {};
  if (::lstat(path_.c_str(), &status) == 0 && status.st_dev == device_ && status.st_ino == inode_) {
    (void)::unlink(path_.c_str());
  }
}

}  // namespace triggerd::admin
