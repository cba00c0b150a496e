#include "inbox/volume.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <algorithm>

#include "base/file.hpp"

namespace triggerd::inbox {
namespace {

constexpr std::uint64_t kSmallestPortion = 64ULL << 10;
constexpr std::uint64_t kLargestPortion = 4ULL << 20;
constexpr std::uint64_t kPortions = 64;  // that a volume has
constexpr std::uint64_t kPage = 4096;

}  // namespace

Volume::Volume(std::filesystem::path folder)
    : folder_(std::move(folder)), portion_(kLargestPortion) {
  struct statvfs volume {};
  // Some file systems do not say how large they are.
  if (folder_.empty() || ::statvfs(folder_.c_str(), &volume) != 0 || volume.f_blocks == 0) return;
  const std::uint64_t total = std::uint64_t{volume.f_blocks} * volume.f_frsize;
  portion_ = std::clamp(total / kPortions / kPage * kPage, kSmallestPortion, kLargestPortion);
}

std::optional<std::uint64_t> Volume::available() const {
  struct statvfs volume {};
  if (folder_.empty() || ::statvfs(folder_.c_str(), &volume) != 0 || volume.f_blocks == 0) {
    return std::nullopt;
  }
  return std::uint64_t{volume.f_bavail} * volume.f_frsize;
}

bool Volume::is_reserved() const {
  if (folder_.empty()) return true;
  struct stat found {};
  return ::stat(reserve_file().c_str(), &found) == 0 &&
         static_cast<std::uint64_t>(found.st_size) >= reserve_bytes();
}

bool Volume::reserve() const {
  if (is_reserved()) return true;
  const auto left = available();
  if (left && *left < reserve_bytes() + working()) return false;
  const UniqueFd file(
      ::open(reserve_file().c_str(), O_WRONLY | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600));
  if (!file) return false;
  if (::posix_fallocate(file.get(), 0, static_cast<off_t>(reserve_bytes())) == 0) return true;
  release();
  return false;
}

void Volume::release() const {
  if (!folder_.empty()) ::unlink(reserve_file().c_str());
}

}  // namespace triggerd::inbox
