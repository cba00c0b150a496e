// The command line: what is wrong is said with place, cause and what to do, and the exit code fits.
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <algorithm>
#include <fstream>
#include <iterator>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "integration/recorded.hpp"
#include "support/file_content.hpp"
#include "support/golden_cases.hpp"
#include "support/mosquitto.hpp"
#include "support/process.hpp"
#include "support/temp_dir.hpp"
#include "support/triggerd_process.hpp"

namespace triggerd::test {
namespace {

using testing::Test;

// One alias and one trigger for the plugin file NAME.so in `dir`.
std::string config_for(const std::filesystem::path& dir, const std::string& service = "thing") {
  return fmt::format(
      "[runtime]\nplugin_dirs = [\"{}\"]\n"
      "[aliases.a]\nhost = \"tcp://127.0.0.1:1\"\n"
      "[[triggers]]\nname = \"t\"\nalias = \"a\"\ntopics = [\"x\"]\nservice = \"{}\"\n",
      dir.string(), service);
}

class PluginFileTest : public Test {
 protected:
  // What --check says of a plugin file with these bytes.
  void expect(const std::string& bytes, const std::string& message) {
    dir_.write("thing.so", bytes);
    TriggerdProcess triggerd(config_for(dir_.path()));
    const CheckResult checked = triggerd.check();
    EXPECT_EQ(checked.exit, (Exit{2, 0})) << checked.output;
    EXPECT_NE(checked.output.find("triggers.toml:9:11: error: trigger \"t\": "), std::string::npos)
        << checked.output;
    EXPECT_NE(checked.output.find(message), std::string::npos) << checked.output;
    // The runtime says the same, and does not start.
    triggerd.start();
    EXPECT_EQ(triggerd.process().wait(), (Exit{2, 0})) << triggerd.output();
    EXPECT_NE(triggerd.output().find(message), std::string::npos) << triggerd.output();
  }
  static std::string good() { return content_of(TriggerdProcess::plugin_dir() / "discard.so"); }

  TempDir dir_;
};

TEST_F(PluginFileTest, NoLibrary) {
  expect("#!/bin/sh\necho hello\n", "ELF");
}
TEST_F(PluginFileTest, Empty) {
  expect("", "thing.so");
}
TEST_F(PluginFileTest, Truncated) {
  expect(good().substr(0, good().size() / 2), "truncated");
}
TEST_F(PluginFileTest, OfAnotherArchitecture) {
  std::string bytes = good();
  bytes[18] = static_cast<char>(183);  // e_machine: AArch64
  bytes[19] = 0;
  expect(bytes, "aarch64");
}
TEST_F(PluginFileTest, WithoutTheEntry) {
  std::string bytes = good();
  for (std::size_t at = 0; (at = bytes.find("trigger_plugin_entry_v1", at)) != std::string::npos;) {
    bytes[at] = 'X';
  }
  expect(bytes, "trigger_plugin_entry_v1");
}
TEST_F(PluginFileTest, OfAnotherMajor) {
  std::string bytes = good();
  for (std::size_t at = 0; (at = bytes.find("trigger_plugin_entry_v1", at)) != std::string::npos;) {
    bytes[at + 22] = '2';
  }
  expect(bytes, "major 2");
}

// What would end the runtime, or leave the loader locked, ends a child process instead.
TEST(Plugin, OneThatExplodesWhileItIsLoadedIsRefused) {
  // What a constructor throws gets out of dlopen or ends the process, as the C library and the
  // compiler of the runtime have it: dlopen is declared to throw nothing.
  const std::vector<std::pair<std::string, std::vector<std::string>>> ways{
      {"abort", {"SIGABRT"}},
      {"exit", {"by exit"}},
      {"throw", {"thrown while it is loaded", "SIGABRT"}}};
  for (const auto& [way, says] : ways) {
    SCOPED_TRACE(way);
    const auto is_said_in = [&any = says](const std::string& output) {
      return std::any_of(any.begin(), any.end(), [&output](const std::string& text) {
        return output.find(text) != std::string::npos;
      });
    };
    TriggerdProcess triggerd(config_for(TEST_PLUGIN_DIR, "exploding"), {{"EXPLODING_WAY", way}});
    const CheckResult checked = triggerd.check();
    EXPECT_EQ(checked.exit, (Exit{2, 0})) << checked.output;
    EXPECT_TRUE(is_said_in(checked.output)) << checked.output;
    EXPECT_NE(checked.output.find("exploding.so"), std::string::npos) << checked.output;
    triggerd.start();
    EXPECT_EQ(triggerd.process().wait(), (Exit{2, 0})) << triggerd.output();
    EXPECT_TRUE(is_said_in(triggerd.output())) << triggerd.output();
  }
}

// As the constructor of a service's class does.
TEST(Plugin, AServiceThatEndsTheProcessThatMakesItIsAnErrorOfItsTrigger) {
  for (const auto& [mode, ending] :
       std::map<std::string, std::string>{{"create-trap", "SIG"}, {"create-exit", "exit"}}) {
    SCOPED_TRACE(mode);
    TriggerdProcess triggerd(
        runtime_table("state_dir = \"var\"") + alias_table("a", 1) +
        trigger_table("t", "a", "\"x\"", "records", "", fmt::format("mode = \"{}\"", mode)));
    const CheckResult checked = triggerd.check();
    EXPECT_EQ(checked.exit, (Exit{2, 0})) << checked.output;
    EXPECT_NE(checked.output.find("error: trigger \"t\": "), std::string::npos) << checked.output;
    EXPECT_NE(checked.output.find("its worker process was ended by " + ending), std::string::npos)
        << checked.output;
    triggerd.start();
    EXPECT_EQ(triggerd.process().wait(), (Exit{2, 0})) << triggerd.output();
  }
}

// It has the port before it takes anything else of the first one's.
TEST(Admin, ASecondRuntimeWithItsPortLeavesTheFirstOnesConnectionsAlone) {
  MosquittoServer server;
  const auto with_port = [&](const std::string& port) {
    return runtime_table("state_dir = \"var\"") + alias_table("a", server.port()) +
           trigger_table("t", "a", "\"x\"", "records") +
           fmt::format("[admin]\nlisten = \"127.0.0.1:{}\"\n", port);
  };
  TriggerdProcess first(with_port("0"));
  first.start();
  ASSERT_TRUE(first.wait_until_running()) << first.output();
  const auto port = first.admin_port();
  ASSERT_TRUE(port);
  TriggerdProcess second(with_port(std::to_string(*port)));
  second.start();
  EXPECT_EQ(second.process().wait(), (Exit{1, 0})) << second.output();
  EXPECT_NE(second.output().find("another program is using it"), std::string::npos)
      << second.output();
  EXPECT_EQ(second.output().find("connection.up"), std::string::npos) << second.output();
  EXPECT_EQ(first.stop(), Exit{});
  EXPECT_EQ(first.output().find("connection.failed"), std::string::npos) << first.output();
}

// As in a container whose root is read-only: the state folder is enough.
TEST(Plugin, NeedsNoTemporaryFolderToBeTriedAndLoaded) {
  MosquittoServer server;
  TriggerdProcess triggerd(runtime_table("state_dir = \"var\"") + alias_table("a", server.port()) +
                               trigger_table("t", "a", "\"x\"", "records"),
                           {{"TMPDIR", "/nowhere"}});
  triggerd.start({"--check"});
  EXPECT_EQ(triggerd.process().wait(), Exit{}) << triggerd.output();
  triggerd.start();
  EXPECT_TRUE(triggerd.wait_until_running()) << triggerd.output();
  EXPECT_EQ(triggerd.stop(), Exit{});
}

TEST(Plugin, MissingIsNamedWithTheFoldersAndTheClosest) {
  TriggerdProcess triggerd(config_for(TriggerdProcess::plugin_dir(), "thermostad"));
  const CheckResult checked = triggerd.check();
  EXPECT_EQ(checked.exit, (Exit{2, 0}));
  EXPECT_NE(checked.output.find(TriggerdProcess::plugin_dir().string()), std::string::npos);
  EXPECT_NE(checked.output.find("did you mean \"thermostat\"?"), std::string::npos)
      << checked.output;
}

TEST(Plugin, AServiceItDoesNotExportIsNamed) {
  TriggerdProcess triggerd(config_for(TriggerdProcess::plugin_dir(), "thermostat:low-temperature"));
  const CheckResult checked = triggerd.check();
  EXPECT_EQ(checked.exit, (Exit{2, 0}));
  EXPECT_NE(checked.output.find("high-temperature"), std::string::npos) << checked.output;
}

TEST(Plugin, SettingsAServiceRefusesAreNamed) {
  TriggerdProcess triggerd(config_for(TriggerdProcess::plugin_dir(), "thermostat"));
  const CheckResult checked = triggerd.check();
  EXPECT_EQ(checked.exit, (Exit{2, 0}));
  EXPECT_NE(checked.output.find("limit_celsius"), std::string::npos) << checked.output;
}

TEST(Check, SaysOkAndTouchesNothing) {
  TriggerdProcess triggerd(config_for(TriggerdProcess::plugin_dir(), "discard"));
  const CheckResult checked = triggerd.check();
  EXPECT_EQ(checked.exit, (Exit{0, 0})) << checked.output;
  EXPECT_NE(checked.output.find("triggers.toml: ok: 1 alias, 1 trigger\n"), std::string::npos)
      << checked.output;
  EXPECT_FALSE(std::filesystem::exists(triggerd.dir() / "var"));
}

TEST(Check, TheRepositorysOwnConfigurationIsGood) {
  std::string config = content_of(REPOSITORY "/triggers.toml");
  const std::string dirs = "\"build/plugins\"";
  ASSERT_NE(config.find(dirs), std::string::npos);
  config.replace(config.find(dirs), dirs.size(),
                 '"' + TriggerdProcess::plugin_dir().string() + '"');
  const CheckResult checked = TriggerdProcess(config).check();
  EXPECT_EQ(checked.exit, (Exit{0, 0})) << checked.output;
}

TEST(CommandLine, AMissingFileIsNamed) {
  Process process({TRIGGERD_BINARY, "--config", "no/such/file.toml"});
  EXPECT_EQ(process.wait(), (Exit{2, 0}));
  EXPECT_NE(process.output().find("no/such/file.toml: error: "), std::string::npos)
      << process.output();
}

TEST(CommandLine, UnknownOptionsAreRefusedAndTheVersionIsSaid) {
  Process unknown({TRIGGERD_BINARY, "--frobnicate"});
  EXPECT_EQ(unknown.wait(), (Exit{2, 0}));
  EXPECT_NE(unknown.output().find("--frobnicate"), std::string::npos);
  Process version({TRIGGERD_BINARY, "--version"});
  EXPECT_EQ(version.wait(), (Exit{0, 0}));
  EXPECT_TRUE(version.wait_for_match("^triggerd [0-9]+\\.[0-9]+\\.[0-9]+$")) << version.output();
}

TEST(StateDir, ThatCannotBeMadeIsAConfigurationError) {
  TempDir dir;
  dir.write("file", "");
  TriggerdProcess triggerd(runtime_table("state_dir = \"" + (dir / "file/var").string() + "\""));
  triggerd.start();
  EXPECT_EQ(triggerd.process().wait(), (Exit{2, 0})) << triggerd.output();
  EXPECT_NE(triggerd.output().find("triggers.toml:4:13: error: state_dir "), std::string::npos)
      << triggerd.output();
  EXPECT_NE(triggerd.output().find("Not a directory"), std::string::npos) << triggerd.output();
}

TEST(StateDir, ASecondRuntimeOnItIsRefusedAndTheFirstGoesOn) {
  TriggerdProcess first(runtime_table());
  first.start();
  ASSERT_TRUE(first.wait_for_event("runtime.started")) << first.output();
  TriggerdProcess second(runtime_table("state_dir = \"" + (first.dir() / "var").string() + "\""));
  second.start();
  EXPECT_EQ(second.process().wait(), (Exit{1, 0})) << second.output();
  EXPECT_NE(second.output().find("in use by another triggerd"), std::string::npos)
      << second.output();
  EXPECT_TRUE(first.process().running());
  EXPECT_EQ(first.stop(), (Exit{0, 0}));
  second.start();
  EXPECT_TRUE(second.wait_for_event("runtime.started")) << second.output();
}

TEST(StateDir, IsForTheRuntimesOwnerAlone) {
  TriggerdProcess triggerd(runtime_table());
  triggerd.start();
  ASSERT_TRUE(triggerd.wait_for_event("runtime.started")) << triggerd.output();
  struct stat status {};
  ASSERT_EQ(::stat((triggerd.dir() / "var").c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 0777, 0700U);
}

TEST(Log, JsonIsOneObjectALine) {
  TriggerdProcess triggerd(runtime_table() + "[log]\nformat = \"json\"\n");
  triggerd.start();
  ASSERT_TRUE(triggerd.process().wait_for_line("\"event\":\"runtime.started\""))
      << triggerd.output();
  EXPECT_EQ(triggerd.stop(), (Exit{0, 0}));
  for (const OutputLine& line : triggerd.process().lines()) {
    EXPECT_TRUE(line.text.starts_with("{\"time\":\"") && line.text.ends_with("\"}")) << line.text;
  }
}

// Every folder of tests/golden/check, through the real binary.
class GoldenCheck : public testing::TestWithParam<std::string> {};

TEST_P(GoldenCheck, SaysExactlyWhatIsExpected) {
  const std::filesystem::path dir = std::filesystem::path(GOLDEN_CHECK_DIR) / GetParam();
  std::map<std::string, std::string> env{{"GOLDEN_PLUGINS", TriggerdProcess::plugin_dir()}};
  std::ifstream variables(dir / "environment");
  for (std::string line; std::getline(variables, line);) {
    const std::size_t equals = line.find('=');
    env[line.substr(0, equals)] = line.substr(equals + 1);
  }
  const std::string expected = content_of(dir / "expected");
  Process check({TRIGGERD_BINARY, "--config", "triggers.toml", "--check"},
                {.cwd = dir, .env = env});
  EXPECT_EQ(check.wait(), (Exit{expected.empty() ? 0 : 2, 0})) << check.output();
  if (!expected.empty()) {
    EXPECT_EQ(check.output(), expected);
  }
}

INSTANTIATE_TEST_SUITE_P(, GoldenCheck, testing::ValuesIn(golden_names(GOLDEN_CHECK_DIR)),
                         golden_name_of);

}  // namespace
}  // namespace triggerd::test
