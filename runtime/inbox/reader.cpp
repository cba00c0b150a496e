#include "inbox/reader.hpp"

namespace triggerd::inbox {

Result<Database*> Reader::database() {
  if (database_) return database_.get();
  auto opened = Database::open_to_read(path_, vfs_);
  if (!opened) return tl::make_unexpected(opened.error());
  // Nothing has been read of it by now.
  if (open_file_ && identity_of_file(path_) != open_file_) {
    return fail("{} is another file than the open one", path_.string());
  }
  database_ = *std::move(opened);
  return database_.get();
}

}  // namespace triggerd::inbox
