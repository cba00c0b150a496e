#include "inbox/folder.hpp"

namespace triggerd::inbox {

Result<> Folder::keep() {
  const auto now = identity_of_file(path_);
  if (now == identity_) return {};
  if (now && now->device != identity_.device) {
    return fail("{} is on another file system than before", path_.string());
  }
  auto claimed = StateDir::open(path_);
  if (!claimed) return fail("{}", claimed.error().message);
  claimed_.emplace(std::move(*claimed));
  if (const auto found = identity_of_file(path_)) identity_ = *found;
  return {};
}

}  // namespace triggerd::inbox
