// Which call of a service the calling thread is in, so that it can be named if the process ends
// there. Signal handlers read it, so it is plain pointers to memory that stays as long as the call.
//
// thread_local; no lock.
#pragma once

#include <trigger/plugin.h>

#include <cstddef>
#include <span>
#include <string>
#include <utility>

namespace triggerd::plugin {

// The names have only letters, digits and punctuation that need no quotes (config/names.hpp).
struct CallSite {
  std::string plugin;
  std::string service;  // empty: the call is of the plugin itself
  std::string trigger;  // empty: the call is for no trigger
};

class CurrentCall {
 public:
  // `function` is a string literal. `messages` are those that the call handles.
  CurrentCall(const CallSite* site, const char* function,
              std::span<const trigger_message* const> messages = {})
      : site_(site), function_(function), messages_(messages), before_(current_) {
    current_ = this;
  }
  ~CurrentCall() { current_ = before_; }
  CurrentCall(const CurrentCall&) = delete;
  CurrentCall& operator=(const CurrentCall&) = delete;

  // Null: the thread is not in a call.
  static const CurrentCall* get() { return current_; }
  const CallSite* site() const { return site_; }  // may be null
  const char* function() const { return function_; }
  std::span<const trigger_message* const> messages() const { return messages_; }

 private:
  static constinit thread_local const CurrentCall* current_;

  const CallSite* const site_;
  const char* const function_;
  const std::span<const trigger_message* const> messages_;
  const CurrentCall* const before_;
};

}  // namespace triggerd::plugin
