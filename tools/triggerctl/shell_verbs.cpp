#include "shell_verbs.hpp"

#include <fmt/format.h>

#include <map>
#include <memory>
#include <nlohmann/json.hpp>

#include "base/file.hpp"
#include "base/text.hpp"
#include "client/api.hpp"
#include "command_line/completion.hpp"
#include "command_line/man_page.hpp"
#include "command_line/markdown_man.hpp"
#include "output.hpp"
#include "version.hpp"

namespace triggerctl {
namespace {

using command_line::Values;

Values names(const char* kind) {
  return {Values::Kind::names, kind};
}
Values words(const char* list) {
  return {Values::Kind::words, list};
}

Values values_of(const std::string& path, const command_line::OptionInfo& option) {
  static const std::map<std::string, Values> by_name{
      {"--trigger", names("triggers")},
      {"--alias", names("aliases")},
      {"--config", {Values::Kind::files}},
      {"--socket", {Values::Kind::files}},
      {"--token-file", {Values::Kind::files}},
      {"--file", {Values::Kind::files}},
      {"--payload-file", {Values::Kind::files}},
      {"--values", {Values::Kind::files}},
      {"--output", {Values::Kind::files}},
      {"FILE", {Values::Kind::files}},
      {"DIR", {Values::Kind::folders}},
      {"--lang", words("c cpp rust python node")},
      {"--qos", words("0 1 2")},
      {"--kind",
       words("message dead_letter trigger alias connection plugin package runtime inbox")},
      {"NUMBER", names("dead-letters")},
      {"SHELL", words("bash zsh fish")}};
  const std::string& name = option.names.front();
  if (name == "NAME") {
    if (path.ends_with(" create")) return {};
    if (path.starts_with("alias ")) return names("aliases");
    if (path.starts_with("trigger ")) return names("triggers");
    if (path.starts_with("plugin ")) return names("plugins");
    if (path.starts_with("package ")) return names("packages");
  }
  const auto at = by_name.find(name);
  return at != by_name.end() ? at->second : Values{};
}

constexpr const char* kDescription =
    "`triggerctl` queries and operates a running `triggerd` over its admin socket, or over HTTP "
    "with `--url`. It also tries plugins and packs packages, which needs no `triggerd`.\n\n"
    "The socket is found through the configuration: `[runtime] state_dir` and `[admin] socket` of "
    "the file that `--config` names. Only the user that triggerd runs as may use it.\n\n"
    "Every verb prints a table or sentences for people, or with `--json` the API's answer: see "
    "docs/reference/openapi.yaml. Times are UTC.\n";
constexpr const char* kExitStatus =
    "| code | meaning |\n| --- | --- |\n"
    "| `0` | done |\n"
    "| `1` | it failed, or something that it changed does not run; standard error says why |\n"
    "| `2` | the command line, a definition or the configuration is wrong |\n"
    "| `3` | triggerd does not answer |\n\n"
    "`plugin run` asks no triggerd, and its exit code is the verdict: 0 ok, 3 retry, 4 reject, 5 "
    "none in time. It and `plugin probe` exit with 6 if the plugin crashed.\n";
constexpr const char* kEnvironment =
    "| variable | meaning |\n| --- | --- |\n"
    "| `TRIGGERD_TOKEN` | the token, if neither --token nor --token-file is given |\n"
    "| `VISUAL`, `EDITOR` | the editor for `create` and `edit`; default: `vi` |\n"
    "| `NO_COLOR` | no colours, whatever it is set to |\n";
constexpr const char* kFiles =
    "| file | meaning |\n| --- | --- |\n"
    "| `triggers.toml` | the configuration, in the current folder |\n"
    "| `/etc/triggerd/triggers.toml` | the configuration, if there is none in the current folder "
    "|\n";

command_line::Page own_page() {
  return {.section = "1",
          .version = std::string("triggerd ") + triggerd::kVersion,
          .one_line = "operates triggerd, and tries plugins",
          .description = kDescription,
          .sections = {{"Exit status", kExitStatus},
                       {"Environment", kEnvironment},
                       {"Files", kFiles},
                       {"See also", "`triggerd`(8), `triggers.toml`(5)\n"}}};
}

struct PageOptions {
  std::string markdown;
  std::string name;
  std::string section;
  std::string one_line;
};

int print_page(Command root, const PageOptions& options) {
  if (options.markdown.empty()) {
    fmt::print("{}", command_line::man_page(command_line::tree_of(root, values_of), own_page()));
    return kDone;
  }
  const auto text = triggerd::read_file(options.markdown, 4 << 20);
  if (!text) return fail_with(text.error());
  fmt::print("{}", command_line::man_page_of_markdown(*text, options.name, options.section,
                                                      std::string("triggerd ") + triggerd::kVersion,
                                                      options.one_line));
  return kDone;
}

int print_completion(Command root, const std::string& shell) {
  const auto tree = command_line::tree_of(root, values_of);
  if (shell == "bash") {
    fmt::print("{}", command_line::bash_completion(tree));
  } else if (shell == "zsh") {
    fmt::print("{}", command_line::zsh_completion(tree));
  } else {
    fmt::print("{}", command_line::fish_completion(tree));
  }
  return kDone;
}

}  // namespace

void add_shell_verbs(CommandLine& line) {
  const auto shell = std::make_shared<std::string>();
  Command completion =
      line.verb(line.root(), "completion", "print the completion script for a shell",
                [&line, shell] { return print_completion(line.root(), *shell); });
  completion.option("SHELL", *shell, "bash, zsh or fish")
      .required()
      .one_of({"bash", "zsh", "fish"});

  // The build asks for these.
  const auto page = std::make_shared<PageOptions>();
  Command manual = line.verb(line.root(), "manual-page", "print this program's manual page",
                             [&line, page] { return print_page(line.root(), *page); });
  manual.hidden();
  manual.option("--of", page->markdown, "the manual page of this document instead");
  manual.option("--name", page->name, "what the document is about");
  manual.option("--section", page->section, "of the manual");
  manual.option("--one-line", page->one_line, "what follows its name");
}

int print_names(const std::string& kind, const std::vector<std::string>& words) {
  ConnectOptions connect;
  const std::map<std::string, std::string*> known{{"--config", &connect.config},
                                                  {"--socket", &connect.socket},
                                                  {"--url", &connect.url},
                                                  {"--token", &connect.token},
                                                  {"--token-file", &connect.token_file}};
  for (std::size_t i = 0; i + 1 < words.size(); ++i) {
    if (const auto at = known.find(words[i]); at != known.end()) *at->second = words[i + 1];
  }
  auto endpoint = find_endpoint(connect);
  if (!endpoint) return kDone;
  const auto all = Api(*std::move(endpoint))
                       .get("/" + triggerd::percent_encoded(kind) +
                            (kind == "dead-letters" ? "?payload_bytes=0" : ""));
  if (!all) return kDone;
  for (const Json& item : list_of(*all, "items")) {
    if (kind == "dead-letters") {
      fmt::print("{}\n", count_of(item, "number"));
    } else {
      fmt::print("{}\n", safe(text_of(item, "name")));
    }
  }
  return kDone;
}

}  // namespace triggerctl
