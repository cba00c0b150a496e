// What is said where a plugin ends the process: by a crash, or by exit().
//
// A crash (SIGSEGV and the like) gets one line in the log and one in the crash record, written by a
// signal handler, and then goes on to what it would have come to without: a core dump and the
// signal as the process's end, or a sanitizer's report. A plugin's runtime that has handlers of its
// own is not fought: its own come first, and ours follow where it passes on what it does not know.
//
// An exit() that is not the runtime's own becomes a failure, with a line that says where. What ends
// the process past all handlers (_exit, a signal that cannot be caught) leaves none.
#pragma once

#include <string>

#include "plugin/process/crash_record.hpp"

namespace triggerd::plugin {

struct SuddenEndOptions {
  bool json = false;    // the format of the log
  std::string runtime;  // its name, on each line of JSON
  int failure = 1;      // what the process returns instead
  int record = -1;      // the crash record, open to append; it stays open. -1: there is none
  IdentityKey identity_key{};
};

// Once, on the main thread. `options` are kept.
void watch_for_sudden_end(SuddenEndOptions options);
// exit() is the runtime's own from now on. [main]
void end_in_good_order();

// A stack for the handlers on the calling thread, which may have none left when it crashes. Where
// the thread has one already it keeps that.
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
