#include "support/small_disk.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <sched.h>
#include <sys/mount.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <fstream>
#include <system_error>
#include <utility>

#include "base/file.hpp"

namespace triggerd::test {

void enter_private_mounts() {
  const auto user = ::geteuid();
  const auto group = ::getegid();
  const int namespaces = user == 0 ? CLONE_NEWNS : CLONE_NEWNS | CLONE_NEWUSER;
  if (::unshare(namespaces) != 0) {
    throw std::system_error(errno, std::generic_category(), "cannot have mounts of its own");
  }
  if (user != 0) {
    std::ofstream("/proc/self/setgroups") << "deny";
    std::ofstream("/proc/self/uid_map") << fmt::format("{0} {0} 1", user);
    std::ofstream("/proc/self/gid_map") << fmt::format("{0} {0} 1", group);
  }
  if (::mount("none", "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0) {
    throw std::system_error(errno, std::generic_category(), "cannot have mounts of its own");
  }
}

void mount_tmpfs(const std::filesystem::path& folder, const std::string& options) {
  if (::mount("tmpfs", folder.c_str(), "tmpfs", 0, options.c_str()) != 0) {
    throw std::system_error(errno, std::generic_category(),
                            "cannot mount a tmpfs on " + folder.string());
  }
}

SmallDisk::SmallDisk(std::filesystem::path folder, unsigned mebibytes)
    : folder_(std::move(folder)) {
  std::filesystem::create_directories(folder_);
  mount_tmpfs(folder_, fmt::format("size={}m,mode=700", mebibytes));
}

SmallDisk::~SmallDisk() {
  ::umount2(folder_.c_str(), MNT_DETACH);
}

void SmallDisk::fill() {
  const UniqueFd file(::open(ballast().c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0600));
  static const std::array<char, 65536> zeros{};
  ssize_t written = file ? 1 : -1;
  for (std::size_t size : {zeros.size(), std::size_t{4096}}) {
    while (file && (written = ::write(file.get(), zeros.data(), size)) > 0) {
    }
  }
  if (written < 0 && errno == ENOSPC) return;
  throw std::system_error(errno, std::generic_category(), "cannot fill " + folder_.string());
}

void SmallDisk::free() {
  std::filesystem::remove(ballast());
}

std::uint64_t SmallDisk::available() const {
  return std::filesystem::space(folder_).available;
}

}  // namespace triggerd::test
