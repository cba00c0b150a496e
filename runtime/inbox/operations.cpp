#include "inbox/operations.hpp"

#include <algorithm>
#include <iterator>

namespace triggerd::inbox {

std::vector<Operation> OperationQueue::take_finished() {
  const auto is_wanted = [](const Operation& operation) {
    if (const auto* const keep = std::get_if<Keep>(&operation)) return keep->entry->wants_writing();
    const auto* const accept = std::get_if<Accept>(&operation);
    return accept == nullptr || accept->key || accept->entry->wants_writing();
  };
  const auto end = std::stable_partition(operations_.begin(), operations_.end(), is_wanted);
  std::vector<Operation> finished(std::make_move_iterator(end),
                                  std::make_move_iterator(operations_.end()));
  operations_.erase(end, operations_.end());
  sweep_at_ = std::max(kSweep, 2 * operations_.size());
  size_ = operations_.size();
  return finished;
}

}  // namespace triggerd::inbox
