// How much is in the inbox, counted as often as is cheap.
#pragma once

#include <memory>
#include <optional>

#include "base/clock.hpp"
#include "base/mutex.hpp"
#include "inbox/inbox.hpp"

namespace triggerd::control {

// An inbox with a million rows takes a while to count, so that is not done for every request, and
// whoever asks meanwhile gets the previous figures. Thread-safe; its lock is not held while it
// counts.
class InboxFigures {
 public:
  // Both outlive it.
  InboxFigures(inbox::Inbox& inbox, const Clock& clock) : inbox_(inbox), clock_(clock) {}

  // Empty if the inbox cannot be read.
  inbox::Figures now() const;

 private:
  inbox::Inbox& inbox_;
  const Clock& clock_;
  mutable Mutex mutex_;
  mutable std::optional<inbox::Figures> last_ TRIGGERD_GUARDED_BY(mutex_);
  mutable Monotonic good_until_ TRIGGERD_GUARDED_BY(mutex_);
  mutable bool counting_ TRIGGERD_GUARDED_BY(mutex_) = false;  // somebody does
  mutable CondVar counted_;
};

}  // namespace triggerd::control
