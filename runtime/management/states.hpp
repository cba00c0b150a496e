// States of aliases and triggers: enabled, disabled, suspended.
#pragma once

#include <string>
#include <string_view>

#include "management/errors.hpp"

namespace triggerd::management {

// Changes states. They survive restarts. Asking for the state that is there already is no error.
// Thread-safe: each call waits its turn on [control], behind other changes, each of which may take
// its drain_timeout. A runtime that stops answers `unavailable`.
class StateControl {
 public:
  virtual ~StateControl() = default;

  virtual Outcome<> enable_trigger(std::string_view name, const Actor& by) = 0;
  // Finishes what is in flight first.
  virtual Outcome<> disable_trigger(std::string_view name, const Actor& by,
                                    const std::string& reason) = 0;
  // Until it is resumed; its monitor may do that too.
  virtual Outcome<> suspend_trigger(std::string_view name, const Actor& by,
                                    const std::string& reason) = 0;
  virtual Outcome<> resume_trigger(std::string_view name, const Actor& by) = 0;
  virtual Outcome<> enable_alias(std::string_view name, const Actor& by) = 0;
  // Stops its triggers as well; their sessions stay at the server.
  virtual Outcome<> disable_alias(std::string_view name, const Actor& by,
                                  const std::string& reason) = 0;
};

}  // namespace triggerd::management
