#include "base/state_dir.hpp"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>

namespace triggerd {

tl::expected<StateDir, StateDir::OpenError> StateDir::open(const std::filesystem::path& path) {
  const auto unusable = [&path](const std::string& why) {
    return tl::make_unexpected(OpenError{
        Failure::unusable,
        fmt::format("state_dir {}: {}; name a folder that the runtime may create and write",
                    path.string(), why)});
  };
  std::error_code error;
  if (path.has_parent_path()) std::filesystem::create_directories(path.parent_path(), error);
  if (error) return unusable(error.message());
  if (::mkdir(path.c_str(), 0700) != 0 && errno != EEXIST) return unusable(errno_text(errno));
  const std::filesystem::path lock_path = path / "lock";
  UniqueFd lock(::open(lock_path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600));
  if (!lock) return unusable(errno_text(errno));
  if (::flock(lock.get(), LOCK_EX | LOCK_NB) != 0) {
    if (errno != EWOULDBLOCK) return unusable(errno_text(errno));
    return tl::make_unexpected(OpenError{
        Failure::locked,
        fmt::format("state_dir {} is in use by another triggerd; stop that one, or give this one "
                    "a state_dir of its own",
                    path.string())});
  }
  return StateDir(std::filesystem::absolute(path), std::move(lock));
}

}  // namespace triggerd
