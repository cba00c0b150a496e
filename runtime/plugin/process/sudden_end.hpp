// Reports a plugin that ends the process, by a crash or by exit().
//
// For a crash (SIGSEGV and the like) a signal handler writes one line to the log and one to the
// crash record. Then the crash takes its course: a core dump and the end by that signal, or a
// sanitizer's report. If a plugin's language runtime has handlers of its own, these run first, and
// ours run if they pass the signal on.
//
// An exit() that is not the runtime's own becomes a failure, with a line that says where it was
// called. What ends the process past all handlers (_exit, a signal that cannot be caught) leaves no
// line.
#pragma once

#include <string>

#include "plugin/process/crash_record.hpp"

namespace triggerd::plugin {

struct SuddenEndOptions {
  bool json = false;    // the format of the log
  std::string runtime;  // its name, for lines of JSON
  int failure = 1;      // the exit status of the process after an exit() in a plugin
  int record = -1;      // the crash record, open for appending, and staying so. -1: there is none
  IdentityKey identity_key{};
};

// Installs the handlers. Called once. [main]
void watch_for_sudden_end(SuddenEndOptions options);
// From now on exit() is the runtime's own. [main]
void end_in_good_order();

// A stack for signal handlers on the calling thread, whose own may be used up when it crashes. A
// thread that already has one keeps it.
class SignalStack {
 public:
  SignalStack();
  ~SignalStack();
  SignalStack(const SignalStack&) = delete;
  SignalStack& operator=(const SignalStack&) = delete;

 private:
  void* memory_ = nullptr;
};

}  // namespace triggerd::plugin
