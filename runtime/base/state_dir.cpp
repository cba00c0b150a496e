#include "base/state_dir.hpp"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>

#include "base/passing.hpp"

namespace triggerd {

tl::expected<StateDir, StateDir::OpenError> StateDir::open(const std::filesystem::path& path) {
  const auto unusable = [&path](int why) {
    if (may_pass(why)) {
      return tl::make_unexpected(OpenError{
          Failure::passing, fmt::format("state_dir {}: {}", path.string(), errno_text(why))});
    }
    return tl::make_unexpected(OpenError{
        Failure::unusable,
        fmt::format("state_dir {}: {}; name a folder that the runtime may create and write",
                    path.string(), errno_text(why))});
  };
  std::error_code error;
  if (path.has_parent_path()) std::filesystem::create_directories(path.parent_path(), error);
  if (error) return unusable(error.value());
  if (::mkdir(path.c_str(), 0700) != 0 && errno != EEXIST) return unusable(errno);
  const std::filesystem::path lock_path = path / "lock";
  UniqueFd lock(::open(lock_path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600));
  if (!lock) return unusable(errno);
  if (::flock(lock.get(), LOCK_EX | LOCK_NB) != 0) {
    if (errno != EWOULDBLOCK) return unusable(errno);
    return tl::make_unexpected(OpenError{
        Failure::locked,
        fmt::format("state_dir {} is in use by another triggerd; stop that one, or give this one "
                    "a state_dir of its own",
                    path.string())});
  }
  return StateDir(std::filesystem::absolute(path), std::move(lock));
}

}  // namespace triggerd
