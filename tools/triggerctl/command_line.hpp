// The command line of triggerctl: groups of verbs, of which one is chosen and run.
//
// A group of verbs is a file of its own with one function, add_..._verbs(CommandLine&), which
// main.cpp calls. It adds its options with CLI11 and says what a verb does:
//
//   CLI::App& group = line.group("plugin", "plugins: make, try and probe them");
//   CLI::App& probe = line.verb(group, "probe", "say what a plugin file has", [options] { ... });
//   probe.add_option("FILE", options->file, "the plugin")->required();
//
// What a verb needs to keep between parsing and running is shared with its function. Every verb
// understands --json: see output.hpp.
#pragma once

#include <CLI/CLI.hpp>
#include <functional>
#include <map>
#include <string>

namespace triggerctl {

// Part of what users may rely on: docs/triggerctl.md.
enum ExitCode {
  kDone = 0,     // what was asked for is done; a verdict: ok
  kFailed = 1,   // it could not be done, and standard error says why
  kUsage = 2,    // the command line is wrong
  kRetry = 3,    // `plugin run`: the verdict is retry
  kReject = 4,   // `plugin run`: the verdict is reject
  kTimeout = 5,  // `plugin run`: there was no verdict in time
  kCrashed = 6   // `plugin run`, `plugin probe`: the plugin ended the process it was in
};

class CommandLine {
 public:
  CommandLine();

  // A word before verbs; the same one for those that ask for it again.
  CLI::App& group(const std::string& name, const std::string& description);
  // `run` returns an ExitCode.
  CLI::App& verb(CLI::App& parent, const std::string& name, const std::string& description,
                 std::function<int()> run);
  CLI::App& app() { return app_; }

  // Parses, runs what was chosen, and returns the process's exit code.
  int run(int argc, char** argv);

 private:
  CLI::App app_;
  std::map<std::string, CLI::App*> groups_;  // app_'s
  std::function<int()> chosen_;
};

// "triggerctl: error: ..." on standard error; kFailed.
int fail_with(const std::string& message);

}  // namespace triggerctl
