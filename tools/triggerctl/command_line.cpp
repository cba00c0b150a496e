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
    : app_("triggerctl: operates triggerd, and tries plugins", "triggerctl") {
  app_.set_version_flag("--version", std::string("triggerctl ") + triggerd::kVersion);
  app_.add_flag("--json", json_wanted(), "print JSON instead of text");
  app_.add_option(
      "--config", connect_.config,
      "the configuration of the triggerd that is meant, which says where its socket is; "
      "default: triggers.toml here, else /etc/triggerd/triggers.toml");
  app_.add_option("--socket", connect_.socket, "the triggerd's admin socket itself");
  app_.add_option("--url", connect_.url,
                  "the triggerd's HTTP address, http://HOST:PORT, instead of its socket");
  app_.add_option("--token", connect_.token,
                  "the token to show there; others can see it in the list of processes, so rather "
                  "use --token-file or the variable TRIGGERD_TOKEN");
  app_.add_option("--token-file", connect_.token_file, "a file that holds the token");
  app_.failure_message([](const CLI::App* app, const CLI::Error& error) {
    return "triggerctl: error: " + CLI::FailureMessage::simple(app, error);
  });
  app_.require_subcommand(1);
  app_.fallthrough();  // these may stand behind a verb
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

CLI::App& CommandLine::live_verb(CLI::App& parent, const std::string& name,
                                 const std::string& description,
                                 std::function<triggerd::Result<int>(const Api&)> run) {
  return verb(parent, name, description, [this, run = std::move(run)] {
    auto endpoint = find_endpoint(connect_);
    if (!endpoint) return fail_with(endpoint.error());
    const auto code = run(Api(*std::move(endpoint)));
    return code ? *code : fail_with(code.error());
  });
}

// "A subcommand is required" is all that CLI11 says of a word that is no verb.
int CommandLine::explain_missing_verb(int argc, char** argv) const {
  const CLI::App* at = &app_;
  for (int i = 1; i < argc; ++i) {
    const std::string word = argv[i];
    const auto verbs =
        at->get_subcommands([](const CLI::App* each) { return !each->get_group().empty(); });
    if (word.starts_with('-') || verbs.empty()) return kDone;
    std::vector<std::string> names;
    names.reserve(verbs.size());
    for (const CLI::App* each : verbs) names.push_back(each->get_name());
    const auto found = std::find(names.begin(), names.end(), word);
    if (found == names.end()) {
      const std::vector<std::string_view> candidates(names.begin(), names.end());
      const std::string meant = triggerd::closest(word, candidates);
      fail_with(fmt::format("there is no \"{} {}\"{}; there are: {}", at->get_name(), safe(word),
                            meant.empty() ? "" : fmt::format("; did you mean \"{}\"?", meant),
                            fmt::join(names, ", ")));
      return kUsage;
    }
    at = verbs[static_cast<std::size_t>(found - names.begin())];
  }
  return kDone;
}

int CommandLine::run(int argc, char** argv) {
  try {
    app_.parse(argc, argv);
  } catch (const CLI::RequiredError& error) {
    if (const int code = explain_missing_verb(argc, argv); code != kDone) return code;
    return app_.exit(error) == 0 ? kDone : kUsage;
  } catch (const CLI::ParseError& error) {
    return app_.exit(error) == 0 ? kDone : kUsage;
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
