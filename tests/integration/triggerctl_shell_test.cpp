// Completion scripts and manual pages, as they are installed: shells and groff accept them, they
// name every verb, and bash completes with its script.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <array>
#include <filesystem>
#include <iterator>

#include "support/fake_admin.hpp"
#include "support/file_content.hpp"
#include "support/process.hpp"
#include "support/temp_dir.hpp"

namespace triggerd::test {
namespace {

namespace fs = std::filesystem;

constexpr std::array kVerbs{"status",
                            "alias list",
                            "alias create",
                            "alias edit",
                            "alias test",
                            "trigger suspend",
                            "trigger resume",
                            "trigger test",
                            "plugin reload",
                            "plugin run",
                            "package install",
                            "package pack",
                            "publish",
                            "dead-letters list",
                            "dead-letters edit",
                            "dead-letters replay",
                            "dead-letters export",
                            "match",
                            "tail",
                            "reload",
                            "import-webmethods"};

bool has(const std::string& program) {
  Process process({"/bin/sh", "-c", "command -v " + program});
  return process.wait() == Exit{};
}

void expect_quiet(const std::string& command) {
  Process process({"/bin/sh", "-c", command});
  EXPECT_EQ(process.wait(), Exit{}) << command << "\n" << process.output();
  EXPECT_EQ(process.output(), "") << command;
}

TEST(TriggerctlShellTest, ShellsReadTheirScripts) {
  const std::string folder = COMPLETIONS_DIR;
  expect_quiet(fmt::format("bash -n {}/triggerctl", folder));
  if (has("zsh")) expect_quiet(fmt::format("zsh -n {}/_triggerctl", folder));
  if (has("fish")) expect_quiet(fmt::format("fish -n {}/triggerctl.fish", folder));
}

TEST(TriggerctlShellTest, EveryVerbIsInEveryScriptAndInTheManual) {
  const fs::path folder = COMPLETIONS_DIR;
  for (const char* name : {"triggerctl", "_triggerctl", "triggerctl.fish"}) {
    const std::string script = content_that_is_there(folder / name);
    for (const std::string verb : kVerbs) {
      EXPECT_NE(script.find("'" + verb + "'"), std::string::npos) << name << ": " << verb;
    }
    EXPECT_EQ(script.find("manual-page"), std::string::npos) << name << ": that one is hidden";
  }
  std::string page = content_that_is_there(fs::path(MAN_PAGES_DIR) / "triggerctl.1");
  for (std::size_t at = 0; (at = page.find("\\-", at)) != std::string::npos;) page.erase(at, 1);
  for (const std::string verb : kVerbs) {
    EXPECT_NE(page.find("triggerctl " + verb + "\\fR"), std::string::npos) << verb;
  }
}

TEST(TriggerctlShellTest, ManualPagesAreWellFormed) {
  if (!has("groff")) GTEST_SKIP() << "there is no groff";
  for (const char* name : {"triggerctl.1", "triggerd.8", "triggers.toml.5"}) {
    expect_quiet(fmt::format("groff -man -ww -Tutf8 -z {}/{} 2>&1", MAN_PAGES_DIR, name));
  }
}

// What bash offers for `words`, of which the last is completed.
std::string offered(const TempDir& dir, const std::string& words) {
  Process process(
      {"/bin/bash", "-c",
       fmt::format(
           "PATH={}:$PATH; source {}/triggerctl; COMP_WORDS=({}); "
           "COMP_CWORD=$((${{#COMP_WORDS[@]}} - 1)); _triggerctl; echo \"${{COMPREPLY[*]}}\"",
           fs::path(TRIGGERCTL_BINARY).parent_path().string(), COMPLETIONS_DIR, words)},
      {.cwd = dir.path()});
  EXPECT_EQ(process.wait(), Exit{});
  std::string text = process.output();
  while (text.ends_with('\n')) text.pop_back();
  return text;
}

TEST(TriggerctlShellTest, BashCompletesVerbsOptionsAndNames) {
  const TempDir dir;
  dir.write("triggers.toml", "[runtime]\nstate_dir = \"var\"\n");
  fs::create_directory(dir / "var");
  FakeAdmin admin(dir / "var/admin.sock");
  admin.answer_as(R"({"GET /api/v1/triggers": {"body": {"items": [{"name": "see-all"},
                      {"name": "alarms"}]}}})");
  EXPECT_EQ(offered(dir, "triggerctl sta"), "status");
  EXPECT_EQ(offered(dir, "triggerctl trigger su"), "suspend");
  EXPECT_EQ(offered(dir, "triggerctl --json trigger suspend ''"), "see-all alarms");
  EXPECT_EQ(offered(dir, "triggerctl tail --trigger al"), "alarms");
  EXPECT_EQ(offered(dir, "triggerctl dead-letters replay --si"), "--since");
  EXPECT_EQ(offered(dir, "triggerctl publish --qos ''"), "0 1 2");
}

}  // namespace
}  // namespace triggerd::test
