#include "command_line.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cstdio>
#include <utility>

#include "base/text.hpp"
#include "client/api.hpp"
#include "output.hpp"
#include "version.hpp"

namespace triggerctl {

CommandLine::CommandLine()
    : program_("triggerctl: operates triggerd, and tries plugins", "triggerctl") {
  program_.version(std::string("triggerctl ") + triggerd::kVersion);
  program_.error_prefix("triggerctl: error: ");
  Command root = program_.root();
  root.flag("--json", json_wanted(), "print JSON instead of text");
  root.option("--config", connect_.config,
              "the configuration of the triggerd to ask, which says where its socket is; default: "
              "triggers.toml here, else /etc/triggerd/triggers.toml");
  root.option("--socket", connect_.socket, "the admin socket of that triggerd itself");
  root.option("--url", connect_.url,
              "the HTTP address of that triggerd, http://HOST:PORT, instead of its socket");
  root.option("--token", connect_.token,
              "the token for that address; others can see it in the process list, so prefer "
              "--token-file or the variable TRIGGERD_TOKEN");
  root.option("--token-file", connect_.token_file, "a file that contains the token");
  root.require_command();
  root.fallthrough();  // these may follow a verb
}

Command CommandLine::group(const std::string& name, const std::string& description) {
  const auto known = groups_.find(name);
  if (known != groups_.end()) return known->second;
  Command made = root().command(name, description);
  made.require_command();
  made.fallthrough();
  groups_.emplace(name, made);
  return made;
}

Command CommandLine::verb(Command parent, const std::string& name, const std::string& description,
                          std::function<int()> run) {
  Command made = parent.command(name, description);
  made.fallthrough();
  made.on_chosen([this, run = std::move(run)] { chosen_ = run; });
  return made;
}

Command CommandLine::live_verb(Command parent, const std::string& name,
                               const std::string& description,
                               std::function<triggerd::Result<int>(const Api&)> run) {
  return verb(parent, name, description, [this, run = std::move(run)] {
    auto endpoint = find_endpoint(connect_);
    if (!endpoint) return fail_with(endpoint.error());
    const auto code = run(Api(*std::move(endpoint)));
    return code ? *code : fail_with(code.error());
  });
}

// For a word that is not a verb, CLI11 only says "A subcommand is required".
int CommandLine::explain_missing_verb(int argc, char** argv) const {
  Command at = root();
  for (int i = 1; i < argc; ++i) {
    const std::string word = argv[i];
    const std::vector<Command> verbs = at.commands();
    if (word.starts_with('-') || verbs.empty()) return kDone;
    std::vector<std::string> names;
    names.reserve(verbs.size());
    for (const Command each : verbs) names.push_back(each.name());
    const auto found = std::find(names.begin(), names.end(), word);
    if (found == names.end()) {
      const std::vector<std::string_view> candidates(names.begin(), names.end());
      const std::string meant = triggerd::closest(word, candidates);
      fail_with(fmt::format("there is no \"{} {}\"{}; the commands are: {}", at.name(), safe(word),
                            meant.empty() ? "" : fmt::format("; did you mean \"{}\"?", meant),
                            fmt::join(names, ", ")));
      return kUsage;
    }
    at = verbs[static_cast<std::size_t>(found - names.begin())];
  }
  return kDone;
}

int CommandLine::run(int argc, char** argv) {
  if (const auto exit = program_.parse(argc, argv)) {
    if (exit->missing) {
      if (const int code = explain_missing_verb(argc, argv); code != kDone) return code;
    }
    return exit->print() == 0 ? kDone : kUsage;
  }
  return chosen_ ? chosen_() : kUsage;
}

int fail_with(const std::string& message) {
  fmt::print(stderr, "triggerctl: error: {}\n", message);
  return kFailed;
}

int fail_with(const triggerd::Error& error) {
  fail_with(error.message);
  return error.code != 0 ? error.code : kFailed;
}

}  // namespace triggerctl
