// Whether the inbox takes messages.
#pragma once

#include <optional>
#include <string>

#include "base/log.hpp"
#include "base/mutex.hpp"
#include "control/running/registry.hpp"

namespace triggerd::control {

// Logs when the inbox gets into trouble and when it recovers, and tells the triggers, which pause
// receiving meanwhile. Its lock is held while triggers are told, so of two reports all of them end
// up with the later one.
class InboxHealth {
 public:
  // Both outlive it.
  InboxHealth(const Registry& registry, Log& log) : registry_(registry), log_(log) {}

  // nullopt: it can be written again. [writer]
  void note(const std::optional<std::string>& reason);
  // From now on triggers are told, beginning with what was noted before. [main]
  void begin();
  // Tells a trigger that has just been put into the registry. [control]
  void report_to(trigger::Trigger& trigger) const;
  // Why it takes none; nullopt: it does. [any]
  std::optional<std::string> trouble() const;

 private:
  const Registry& registry_;
  Log& log_;
  mutable Mutex mutex_;
  std::optional<std::string> trouble_ TRIGGERD_GUARDED_BY(mutex_);
  bool begun_ TRIGGERD_GUARDED_BY(mutex_) = false;
};

}  // namespace triggerd::control
