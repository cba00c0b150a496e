// States of aliases and triggers: enabled, disabled, suspended.
#pragma once

#include <string>
#include <string_view>

#include "management/errors.hpp"

namespace triggerd::management {

// Changes states. They survive restarts. Asking for the current state is not an error.
// Thread-safe: each call waits its turn on [control], behind other changes, each of which may take
// its drain_timeout. While the runtime stops, calls fail with `unavailable`.
class StateControl {
 public:
  virtual ~StateControl() = default;

  virtual Outcome<> enable_trigger(std::string_view name, const Actor& by) = 0;
  // Lets messages that are in flight finish first.
  virtual Outcome<> disable_trigger(std::string_view name, const Actor& by,
                                    const std::string& reason) = 0;
  // Suspends the trigger until it is resumed, by an administrator or by its monitor.
  virtual Outcome<> suspend_trigger(std::string_view name, const Actor& by,
                                    const std::string& reason) = 0;
  virtual Outcome<> resume_trigger(std::string_view name, const Actor& by) = 0;
  virtual Outcome<> enable_alias(std::string_view name, const Actor& by) = 0;
  // Stops its triggers as well; their sessions stay at the server.
  virtual Outcome<> disable_alias(std::string_view name, const Actor& by,
                                  const std::string& reason) = 0;
};

}  // namespace triggerd::management
