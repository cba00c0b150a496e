// Which call of a service the calling thread is in, for what is said when the process ends there.
// Read by signal handlers: plain pointers, in memory that stays for as long as the call.
#pragma once

#include <trigger/plugin.h>

#include <cstddef>
#include <span>
#include <string>
#include <utility>

namespace triggerd::plugin {

// Names are made of letters, digits and punctuation that needs no quotes: config/names.hpp.
struct CallSite {
  std::string plugin;
  std::string service;  // empty: of the plugin itself
  std::string trigger;  // empty: of no trigger
};

class CurrentCall {
 public:
  // `function` is a literal. `messages` are those that are handled.
  CurrentCall(const CallSite* site, const char* function,
              std::span<const trigger_message* const> messages = {})
      : site_(site), function_(function), messages_(messages), before_(current_) {
    current_ = this;
  }
  ~CurrentCall() { current_ = before_; }
  CurrentCall(const CurrentCall&) = delete;
  CurrentCall& operator=(const CurrentCall&) = delete;

  // Null: the thread is in none.
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
