// The command line of triggerctl: groups of verbs, of which one is chosen and run.
//
// A group of verbs is a file of its own with one function, add_..._verbs(CommandLine&), which
// main.cpp calls. The function says what each verb does, and adds its options:
//
//   Command group = line.group("plugin", "plugins: make, try and probe them");
//   Command probe = line.verb(group, "probe", "say what a plugin file has", [options] { ... });
//   probe.option("FILE", options->file, "the plugin").required();
//
// What a verb needs to keep between parsing and running is shared with its function. Every verb
// understands --json: see output.hpp. Completion scripts and the manual page are generated from
// this: see tools/command_line.
#pragma once

#include <functional>
#include <map>
#include <string>

#include "base/result.hpp"
#include "client/endpoint.hpp"
#include "command_line/command.hpp"

namespace triggerctl {

class Api;

using command_line::Command;
using command_line::Option;

// Part of what users may rely on: docs/reference/triggerctl.md.
enum ExitCode {
  kDone = 0,         // what was asked for is done; a verdict: ok
  kFailed = 1,       // it could not be done, and standard error says why
  kUsage = 2,        // the command line, a definition or the configuration is wrong
  kUnreachable = 3,  // triggerd does not answer
  kRetry = 3,        // `plugin run`, which asks no triggerd: the verdict is retry
  kReject = 4,       // `plugin run`: the verdict is reject
  kTimeout = 5,      // `plugin run`: there was no verdict in time
  kCrashed = 6       // `plugin run`, `plugin probe`: the plugin ended the process it was in
};

class CommandLine {
 public:
  CommandLine();

  // A word before verbs. Asking for it again gives the same group.
  Command group(const std::string& name, const std::string& description);
  // `run` returns an ExitCode.
  Command verb(Command parent, const std::string& name, const std::string& description,
               std::function<int()> run);
  // The same for a verb that asks a triggerd. An error is printed, and its code is the exit code.
  Command live_verb(Command parent, const std::string& name, const std::string& description,
                    std::function<triggerd::Result<int>(const Api&)> run);
  Command root() const { return program_.root(); }
  // How to reach triggerd, once the command line is parsed.
  const ConnectOptions& connect() const { return connect_; }

  // Parses, runs what was chosen, and returns the process's exit code.
  int run(int argc, char** argv);

 private:
  // Says which word is not a verb, and which one may have been meant. kDone: that is not the
  // problem.
  int explain_missing_verb(int argc, char** argv) const;

  command_line::Program program_;
  ConnectOptions connect_;
  std::map<std::string, Command> groups_;
  std::function<int()> chosen_;
};

// "triggerctl: error: ..." on standard error; kFailed.
int fail_with(const std::string& message);
// The same; returns the error's code, or kFailed if it has none.
int fail_with(const triggerd::Error& error);

}  // namespace triggerctl
