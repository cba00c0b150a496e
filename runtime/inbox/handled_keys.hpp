// The keys of messages that were handled, by trigger: how a message that comes again is known, over
// restarts. The writer adds keys, and removes those that are forgotten.
//
// Threads: any, under the inbox's lock where it uses the file.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>

#include "base/clock.hpp"
#include "base/mutex.hpp"
#include "base/result.hpp"
#include "inbox/key_list.hpp"

namespace triggerd::inbox {

class InboxFile;

class HandledKeys {
 public:
  explicit HandledKeys(InboxFile& file) : file_(file) {}

  // Those of `trigger`, with these limits from now on: read from the file once, and the same object
  // from then on. So a trigger that is made anew knows what its predecessor has handled, whether or
  // not that is written.
  Result<std::shared_ptr<KeyList>> of(std::string_view trigger, KeyLimits limits, Monotonic now);
  // Removes rows of keys that are forgotten and that no new key has taken along: those of triggers
  // that are quiet, or whose messages a full inbox keeps away. Some at a time; true: there are
  // more.
  Result<bool> remove_forgotten(Monotonic now);
  // Forgets those of triggers that are not wanted, some at a time, so that the writer gets its
  // turn.
  Result<> keep_only(const std::function<bool(std::string_view trigger)>& is_wanted);

 private:
  Result<std::shared_ptr<KeyList>> load(std::string_view trigger, KeyLimits limits, Monotonic now);
  Result<> drop(std::int64_t list);

  InboxFile& file_;
  Mutex mutex_;  // taken before that of the file
  std::map<std::string, std::shared_ptr<KeyList>, std::less<>> lists_ TRIGGERD_GUARDED_BY(mutex_);
};

}  // namespace triggerd::inbox
