// Whether a trigger is enabled, suspended or disabled, since when, by whom and why: the one home of
// that. It survives restarts, so every change is stored in the inbox.
#pragma once

#include <atomic>
#include <functional>
#include <optional>
#include <string>

#include "base/clock.hpp"
#include "base/mutex.hpp"
#include "base/result.hpp"
#include "inbox/records.hpp"

namespace triggerd::trigger {

// Thread-safe. Readers never wait for the disk. The change lock serialises changes and is held
// while one is stored, so a thread that calls change(), enable(), suspend(), recover() or store()
// may wait for the disk: never the receive thread. The details lock guards the resulting state; it
// is a leaf, which means that no other lock is taken under it.
class TriggerState {
 public:
  using Kind = inbox::TriggerState::State;  // suspended or disabled
  // Stores a state; nullopt: enabled.
  using Store = std::function<Result<>(const std::optional<inbox::TriggerState>&)>;

  TriggerState(const Clock& clock, Store store) : clock_(clock), store_(std::move(store)) {}

  // As it was stored. [control, before anything else]
  void load(std::optional<inbox::TriggerState> stored);

  // An administrator's change. After an error nothing has changed: it could not be stored.
  // [control]
  Result<> change(Kind to, const std::string& by, const std::string& reason);
  Result<> enable();
  // What the trigger's own messages have brought about: it holds from now on, whether or not it can
  // be stored, and store() is to be called until it succeeds. False: nothing has changed, since an
  // administrator had disabled or enabled it meanwhile. [any but the receive thread]
  [[nodiscard]] bool suspend(const std::string& by, const std::string& reason);
  [[nodiscard]] bool recover();
  // Stores what is not stored yet. [any but the receive thread]
  Result<> store();

  bool suspended() const { return kind_ == Now::suspended; }  // [any]
  bool disabled() const { return kind_ == Now::disabled; }    // [any]
  // nullopt: enabled. [any]
  std::optional<inbox::TriggerState> details() const;

 private:
  enum class Now { enabled, suspended, disabled };

  inbox::TriggerState made(Kind to, const std::string& by, const std::string& reason) const;
  Result<> store_then_set(std::optional<inbox::TriggerState> state);
  void set(std::optional<inbox::TriggerState> state);

  const Clock& clock_;
  const Store store_;
  std::atomic<Now> kind_{Now::enabled};  // of details_
  Mutex change_mutex_;                   // held while a change is stored
  bool stored_ TRIGGERD_GUARDED_BY(change_mutex_) = true;
  mutable Mutex details_mutex_;
  std::optional<inbox::TriggerState> details_ TRIGGERD_GUARDED_BY(details_mutex_);
};

}  // namespace triggerd::trigger
