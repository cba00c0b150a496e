// Accepted messages that earlier processes did not finish. The writer adds and removes them.
//
// Threads: any, under the inbox's lock.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/result.hpp"
#include "inbox/records.hpp"

namespace triggerd::inbox {

class InboxFile;

class Messages {
 public:
  explicit Messages(InboxFile& file) : file_(file) {}

  // At most `limit` messages of `trigger` with numbers above `after`, in the order of arrival.
  Result<std::vector<StoredMessage>> page(std::string_view trigger, std::int64_t after,
                                          std::size_t limit);
  // How many messages each trigger has.
  Result<std::vector<std::pair<std::string, std::int64_t>>> counts();

 private:
  InboxFile& file_;
};

}  // namespace triggerd::inbox
