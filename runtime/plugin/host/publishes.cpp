#include "plugin/host/publishes.hpp"

#include <utility>
#include <vector>

namespace triggerd::plugin {

Publishes::Publishes(std::shared_ptr<Completions> completions)
    : completions_(std::move(completions)) {}

Publishes::Opened Publishes::open(trigger_publish_done done, void* user) {
  // Before anything is promised: without its thread nothing could be told.
  if (!completions_->start()) return {.code = TRIGGER_E_FULL};
  const MutexLock lock(mutex_);
  if (!accepting_) return {.code = TRIGGER_E_STATE};
  if (entries_.size() + due_ >= kMax) return {.code = TRIGGER_E_FULL};
  const std::uint64_t id = next_id_++;
  entries_.emplace(id, Entry{.done = done, .user = user});
  return {.id = id,
          .result = [self = shared_from_this(), id](std::int32_t code, std::string reason) {
            self->settle(id, code, std::move(reason));
          }};
}

void Publishes::drop(std::uint64_t id) {
  const MutexLock lock(mutex_);
  entries_.erase(id);
  idle_.notify_all();
}

void Publishes::commit(std::uint64_t id) {
  const MutexLock lock(mutex_);
  const auto found = entries_.find(id);
  if (found == entries_.end()) return;
  found->second.committed = true;
  report_if_due(id);
}

void Publishes::accept() {
  const MutexLock lock(mutex_);
  accepting_ = true;
}

bool Publishes::cancel(Monotonic deadline) {
  const MutexLock lock(mutex_);
  accepting_ = false;
  std::vector<std::uint64_t> ids;
  for (auto& [id, entry] : entries_) {
    if (!entry.outcome) entry.outcome = Outcome{TRIGGER_E_CANCELLED, "the instance is stopping"};
    ids.push_back(id);
  }
  for (const std::uint64_t id : ids) report_if_due(id);
  while (!entries_.empty() || due_ > 0) {
    if (idle_.wait_until(mutex_, deadline) == std::cv_status::timeout) break;
  }
  return entries_.empty() && due_ == 0;
}

void Publishes::forget() {
  const MutexLock lock(mutex_);
  accepting_ = false;
  entries_.clear();
}

void Publishes::settle(std::uint64_t id, std::int32_t code, std::string reason) {
  const MutexLock lock(mutex_);
  const auto found = entries_.find(id);
  if (found == entries_.end() || found->second.outcome) return;
  found->second.outcome = Outcome{code, std::move(reason)};
  report_if_due(id);
}

void Publishes::report_if_due(std::uint64_t id) {
  const auto found = entries_.find(id);
  Entry& entry = found->second;
  if (!entry.committed || !entry.outcome) return;
  Completion completion{.done = entry.done,
                        .user = entry.user,
                        .code = entry.outcome->code,
                        .reason = std::move(entry.outcome->reason),
                        .told = [self = shared_from_this()] { self->told(); }};
  entries_.erase(found);
  ++due_;
  completions_->post(std::move(completion));
}

void Publishes::told() {
  const MutexLock lock(mutex_);
  --due_;
  idle_.notify_all();
}

}  // namespace triggerd::plugin
