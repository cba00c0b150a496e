// triggerctl plugin: what the real binary prints, and how it exits.
#include <gtest/gtest.h>

#include <algorithm>
#include <fstream>
#include <iterator>
#include <regex>

#include "support/file_content.hpp"
#include "support/golden_cases.hpp"
#include "support/process.hpp"
#include "support/temp_dir.hpp"

namespace triggerd::test {
namespace {

namespace fs = std::filesystem;

// Every folder of tests/golden/offline.
class GoldenOffline : public testing::TestWithParam<std::string> {};

TEST_P(GoldenOffline, SaysExactlyWhatIsExpected) {
  const fs::path dir = fs::path(GOLDEN_OFFLINE_DIR) / GetParam();
  std::vector<std::string> command{TRIGGERCTL_BINARY};
  std::ifstream arguments(dir / "arguments");
  for (std::string line; std::getline(arguments, line);) command.push_back(line);
  Process process(command, {.cwd = TEST_PLUGIN_DIR});
  const std::string code = content_of(dir / "exit");
  EXPECT_EQ(process.wait(), (Exit{code.empty() ? 0 : std::stoi(code), 0})) << process.output();
  std::string output = std::regex_replace(process.output(), std::regex("[0-9.]+ ms"), "N ms");
  output = std::regex_replace(output, std::regex("\"ms\": [0-9.e-]+"), "\"ms\": N");
  EXPECT_EQ(output, content_of(dir / "expected"));
}

INSTANTIATE_TEST_SUITE_P(, GoldenOffline, testing::ValuesIn(golden_names(GOLDEN_OFFLINE_DIR)),
                         golden_name_of);

TEST(OfflineRun, ThePayloadMayComeFromAFile) {
  TempDir dir;
  dir.write("payload", "reject");
  Process process({TRIGGERCTL_BINARY, "plugin", "run", TEST_PLUGIN_DIR "/offline.so:do", "--topic",
                   "a", "--payload-file", (dir / "payload").string()});
  EXPECT_EQ(process.wait(), (Exit{4, 0})) << process.output();
}

TEST(OfflineRun, NothingIsLeftBehind) {
  TempDir dir;
  for (const char* payload : {"ok", "abort", "hang"}) {
    Process process({TRIGGERCTL_BINARY, "plugin", "run", TEST_PLUGIN_DIR "/offline.so:do",
                     "--topic", "a", "--payload", payload, "--timeout", "50ms"},
                    {.cwd = {}, .env = {{"TMPDIR", dir.path().string()}}});
    ASSERT_TRUE(process.wait());
    EXPECT_TRUE(fs::is_empty(dir.path())) << payload;
  }
}

// A constructor cannot be called in a process that has something to lose.
TEST(OfflineRun, APluginThatCrashesWhileItIsLoadedIsNamed) {
  for (const auto& [way, says] : std::vector<std::pair<std::string, std::string>>{
           {"abort", "the plugin crashed with SIGABRT in a constructor or its entry function"},
           {"exit", "the plugin ended its process with exit code 0"}}) {
    for (const std::string verb : {"probe", "run"}) {
      std::vector<std::string> command{TRIGGERCTL_BINARY, "plugin", verb,
                                       TEST_PLUGIN_DIR "/exploding.so"};
      if (verb == "run") command.insert(command.end(), {"--topic", "a"});
      Process process(command, {.cwd = {}, .env = {{"EXPLODING_WAY", way}}});
      EXPECT_EQ(process.wait(), (Exit{6, 0})) << process.output();
      EXPECT_NE(process.output().find(says), std::string::npos) << process.output();
    }
  }
}

std::vector<std::string> tree(const fs::path& dir) {
  std::vector<std::string> found;
  for (const auto& entry : fs::recursive_directory_iterator(dir)) {
    const auto mode = static_cast<unsigned>(entry.status().permissions());
    found.push_back(fs::relative(entry.path(), dir).string() + " " +
                    (entry.is_directory() ? "" : std::to_string(mode) + content_of(entry.path())));
  }
  std::sort(found.begin(), found.end());
  return found;
}

TEST(NewProject, IsTheSameAsThatOfToolsPluginNew) {
  for (const char* language : {"c", "cpp", "rust", "python", "node"}) {
    for (const bool minimal : {false, true}) {
      TempDir dir;
      const std::string ours = (dir / "ours").string();
      const std::string theirs = (dir / "theirs").string();
      std::vector<std::string> options{"--lang", language, "--name", "my-one"};
      if (minimal) options.push_back("--minimal");
      const auto with = [&](std::vector<std::string> command) {
        command.insert(command.end(), options.begin(), options.end());
        return command;
      };
      Process made(with({TRIGGERCTL_BINARY, "plugin", "new", ours}));
      ASSERT_EQ(made.wait(), (Exit{0, 0})) << made.output();
      Process script(with({REPOSITORY "/tools/plugin-new", theirs}));
      ASSERT_EQ(script.wait(), (Exit{0, 0})) << script.output();
      EXPECT_EQ(tree(ours), tree(theirs)) << language << (minimal ? ", minimal" : "");
    }
  }
}

TEST(NewProject, AnInstalledTriggerctlFindsItsTemplates) {
  TempDir dir;
  const std::string prefix = (dir / "prefix").string();
  Process install(
      {CMAKE_PROGRAM, "--install", BUILD_DIR, "--component", "sdk", "--prefix", prefix});
  ASSERT_EQ(install.wait(), (Exit{0, 0})) << install.output();
  fs::create_directories(dir / "prefix/bin");
  fs::copy_file(TRIGGERCTL_BINARY, dir / "prefix/bin/triggerctl");
  Process made({(dir / "prefix/bin/triggerctl").string(), "plugin", "new", (dir / "mine").string(),
                "--lang", "c"});
  ASSERT_EQ(made.wait(), (Exit{0, 0})) << made.output();
  EXPECT_TRUE(fs::exists(dir / "mine/sdk/include/trigger/plugin.h"));
  for (const auto& [language, sdk] :
       {std::pair{"python", "trigger_service.py"}, {"node", "trigger-service.js"}}) {
    Process command({(dir / "prefix/bin/triggerctl").string(), "plugin", "new",
                     (dir / language).string(), "--lang", language});
    ASSERT_EQ(command.wait(), (Exit{0, 0})) << command.output();
    EXPECT_TRUE(fs::exists(dir / language / sdk));
  }
  fs::remove_all(dir / "prefix/share");
  Process lost({(dir / "prefix/bin/triggerctl").string(), "plugin", "new", (dir / "other").string(),
                "--lang", "c"});
  EXPECT_EQ(lost.wait(), (Exit{1, 0}));
  EXPECT_NE(lost.output().find("install the SDK beside triggerctl"), std::string::npos)
      << lost.output();
}

}  // namespace
}  // namespace triggerd::test
