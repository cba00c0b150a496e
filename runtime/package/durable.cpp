#include "package/durable.hpp"

#include <fcntl.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <optional>
#include <string>
#include <utility>

namespace triggerd::package {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kStagingPrefix = ".staging-";

fs::path folder_of(const fs::path& path) {
  return path.has_parent_path() ? path.parent_path() : fs::path(".");
}

// nullopt: ownership stays as it is.
std::optional<std::pair<uid_t, gid_t>> other_owner_of(const fs::path& folder) {
  struct stat owner {};
  if (::geteuid() != 0 || ::stat(folder.c_str(), &owner) != 0 || owner.st_uid == 0) return {};
  return std::pair(owner.st_uid, owner.st_gid);
}

auto cannot_give(const fs::path& folder, int error) {
  return fail("cannot make the owner of {} its owner: {}", folder.string(), errno_text(error));
}

}  // namespace

Result<> give_to_owner_of(const fs::path& folder, int fd) {
  const auto owner = other_owner_of(folder);
  if (owner && ::fchown(fd, owner->first, owner->second) != 0) return cannot_give(folder, errno);
  return {};
}

Result<> give_tree_to_owner_of(const fs::path& folder, const fs::path& tree) {
  const auto owner = other_owner_of(folder);
  if (!owner) return {};
  // Whoever owns the folder might swap `tree` for another folder, to make root give away its own
  // files. So it is opened once, and reached through its descriptor from then on.
  const UniqueFd fd(::open(tree.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
  struct stat status {};
  if (!fd || ::fstat(fd.get(), &status) != 0) return cannot_give(folder, errno);
  if (status.st_uid != 0) return cannot_give(folder, EPERM);
  std::error_code error;
  fs::recursive_directory_iterator at(fmt::format("/proc/self/fd/{}", fd.get()), error);
  for (const fs::recursive_directory_iterator end; !error && at != end; at.increment(error)) {
    if (::lchown(at->path().c_str(), owner->first, owner->second) != 0) {
      return cannot_give(folder, errno);
    }
  }
  if (error) return fail("cannot list {}: {}", tree.string(), error.message());
  return give_to_owner_of(folder, fd.get());
}

Result<> set_folder_mode(const fs::path& path, mode_t mode) {
  const UniqueFd fd(::open(path.c_str(), O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
  if (!fd || ::chmod(fmt::format("/proc/self/fd/{}", fd.get()).c_str(), mode) != 0) {
    return fail("cannot set the mode of {}: {}", path.string(), errno_text(errno));
  }
  return {};
}

Result<bool> make_folder(const fs::path& path, mode_t mode) {
  if (::mkdir(path.c_str(), mode) != 0) {
    if (errno == EEXIST) return false;
    return fail("cannot create {}: {}", path.string(), errno_text(errno));
  }
  if (auto set = set_folder_mode(path, mode); !set) return tl::make_unexpected(set.error());
  const UniqueFd fd(::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
  if (!fd) return fail("cannot open {}: {}", path.string(), errno_text(errno));
  if (auto given = give_to_owner_of(folder_of(path), fd.get()); !given) {
    return tl::make_unexpected(given.error());
  }
  return true;
}

Result<> write_file(const fs::path& path, std::string_view content) {
  const auto give = [&](int fd) { return give_to_owner_of(folder_of(path), fd); };
  return replace_private_file(path, content, {.to_disk = true, .prepare = give})
      .map([](const UniqueFd&) {});
}

Result<Staging> Staging::make(const fs::path& parent) {
  std::string name = (parent / (std::string(kStagingPrefix) + "XXXXXX")).string();
  if (::mkdtemp(name.data()) == nullptr) {
    return fail("cannot create a folder in {}: {}", parent.string(), errno_text(errno));
  }
  if (auto set = set_folder_mode(name, 0700); !set) return tl::make_unexpected(set.error());
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
  if (folder.has_parent_path()) fs::create_directories(folder.parent_path(), error);
  if (error) return fail("cannot create {}: {}", folder.string(), error.message());
  if (!fs::is_directory(folder, error)) {
    if (auto made = make_folder(folder, 0755); !made) return tl::make_unexpected(made.error());
  }
  const fs::path path = folder / ".lock";
  constexpr int kFlags = O_RDWR | O_CLOEXEC | O_NOFOLLOW;
  UniqueFd fd(::open(path.c_str(), kFlags | O_CREAT | O_EXCL, 0600));
  if (fd) {
    ::fchmod(fd.get(), 0600);
    if (auto given = give_to_owner_of(folder, fd.get()); !given) {
      return tl::make_unexpected(given.error());
    }
  } else if (errno == EEXIST) {
    fd = UniqueFd(::open(path.c_str(), kFlags));
  }
  if (!fd) return fail("cannot open {}: {}", path.string(), errno_text(errno));
  if (::flock(fd.get(), LOCK_EX | LOCK_NB) != 0) {
    if (errno != EWOULDBLOCK) return fail("cannot lock {}: {}", path.string(), errno_text(errno));
    return fail("another command is changing the packages in {}; try again when it is done",
                folder.string());
  }
  return FolderLock(std::move(fd));
}

}  // namespace triggerd::package
