// What is remembered of a trigger beside its messages: its state, and the retained messages that it
// has handled. The states of aliases are kept here too, under names that no trigger has.
//
// Threads: any, under the inbox's lock.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/result.hpp"
#include "inbox/records.hpp"

namespace triggerd::inbox {

class InboxFile;

class TriggerRecords {
 public:
  explicit TriggerRecords(InboxFile& file) : file_(file) {}

  // nullopt: neither disabled nor suspended.
  Result<std::optional<TriggerState>> state(std::string_view trigger);
  // On the disk when it returns.
  Result<> set_state(std::string_view trigger, const std::optional<TriggerState>& state);

  // Topics and digests of the retained messages that `trigger` has handled. The writer notes them.
  Result<std::vector<std::pair<std::string, std::string>>> handled_retained(
      std::string_view trigger);

 private:
  InboxFile& file_;
};

}  // namespace triggerd::inbox
