// Runs a program to its end, for what it prints.
#pragma once

#include <string>
#include <vector>

#include "base/clock.hpp"
#include "base/result.hpp"

namespace triggerd {

// The file that a shell would run for `name`: itself if it has a "/", otherwise the first of that
// name in PATH. An error says why there is none. [any]
Result<std::string> find_program(const std::string& name);

// What a program is run with.
struct ProgramRun {
  std::vector<std::string> command;  // the program first; its arguments are its own, no shell's
  Millis timeout{0};
  std::size_t max_output = 0;  // bytes of standard output; more is an error
  // Readable once the run is to be given up; -1: never.
  int give_up_fd = -1;
};

// Runs it with this process's environment, no standard input, and a process group of its own, and
// waits for its end. Returns what it has written to standard output. It is an error if it cannot be
// started, does not exit with 0, is given up, or takes too long; then all of its group is killed.
// The error has the last line of its standard error, and never anything of its standard output.
// [any thread; blocks for up to `timeout`]
Result<std::string> run_program(const ProgramRun& run, const Clock& clock);

}  // namespace triggerd
