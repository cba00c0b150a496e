#include "command_line.hpp"

#include <fmt/format.h>

#include <cstdio>
#include <utility>

#include "output.hpp"
#include "version.hpp"

namespace triggerctl {

CommandLine::CommandLine()
    : app_("triggerctl: operates triggerd, and tries plugins", "triggerctl") {
  app_.set_version_flag("--version", std::string("triggerctl ") + triggerd::kVersion);
  app_.add_flag("--json", json_wanted(), "print JSON instead of text");
  app_.require_subcommand(1);
  app_.fallthrough();  // --json may stand behind a verb
}

CLI::App& CommandLine::group(const std::string& name, const std::string& description) {
  CLI::App*& group = groups_[name];
  if (group == nullptr) {
    group = app_.add_subcommand(name, description);
    group->require_subcommand(1);
    group->fallthrough();
  }
  return *group;
}

CLI::App& CommandLine::verb(CLI::App& parent, const std::string& name,
                            const std::string& description, std::function<int()> run) {
  CLI::App& made = *parent.add_subcommand(name, description);
  made.fallthrough();
  made.final_callback([this, run = std::move(run)] { chosen_ = run; });
  return made;
}

int CommandLine::run(int argc, char** argv) {
  try {
    app_.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app_.exit(error) == 0 ? kDone : kUsage;
  }
  return chosen_ ? chosen_() : kUsage;
}

int fail_with(const std::string& message) {
  fmt::print(stderr, "triggerctl: error: {}\n", message);
  return kFailed;
}

}  // namespace triggerctl
