#include "trigger/trigger_state.hpp"

#include <utility>

namespace triggerd::trigger {

void TriggerState::load(std::optional<inbox::TriggerState> stored) {
  set(std::move(stored));
}

Result<> TriggerState::change(Kind to, const std::string& by, const std::string& reason) {
  return store_then_set(made(to, by, reason));
}

Result<> TriggerState::enable() {
  return store_then_set(std::nullopt);
}

bool TriggerState::suspend(const std::string& by, const std::string& reason) {
  MutexLock lock(change_mutex_);
  if (disabled()) return false;
  set(made(Kind::suspended, by, reason));
  stored_ = false;
  return true;
}

bool TriggerState::recover() {
  MutexLock lock(change_mutex_);
  if (!suspended()) return false;
  set(std::nullopt);
  stored_ = false;
  return true;
}

Result<> TriggerState::store() {
  MutexLock lock(change_mutex_);
  if (stored_) return {};
  auto kept = store_(details());
  stored_ = kept.has_value();
  return kept;
}

std::optional<inbox::TriggerState> TriggerState::details() const {
  MutexLock lock(details_mutex_);
  return details_;
}

inbox::TriggerState TriggerState::made(Kind to, const std::string& by,
                                       const std::string& reason) const {
  return {.state = to, .changed_by = by, .reason = reason, .since = clock_.wall()};
}

Result<> TriggerState::store_then_set(std::optional<inbox::TriggerState> state) {
  MutexLock lock(change_mutex_);
  if (auto kept = store_(state); !kept) return kept;
  stored_ = true;
  set(std::move(state));
  return {};
}

void TriggerState::set(std::optional<inbox::TriggerState> state) {
  MutexLock lock(details_mutex_);
  kind_ = !state ? Now::enabled : state->state == Kind::disabled ? Now::disabled : Now::suspended;
  details_ = std::move(state);
}

}  // namespace triggerd::trigger
