// Every folder of tests/golden/triggerctl, as its README.md describes, through the real program.
#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <regex>

#include "support/fake_admin.hpp"
#include "support/file_content.hpp"
#include "support/golden_cases.hpp"
#include "support/process.hpp"
#include "support/temp_dir.hpp"

namespace triggerd::test {
namespace {

namespace fs = std::filesystem;

void replace_all(std::string& text, const std::string& from, const std::string& to) {
  for (std::size_t at = 0; (at = text.find(from, at)) != std::string::npos; at += to.size()) {
    text.replace(at, from.size(), to);
  }
}

class GoldenTriggerctl : public testing::TestWithParam<std::string> {};

TEST_P(GoldenTriggerctl, SaysExactlyWhatIsExpected) {
  const fs::path folder = fs::path(GOLDEN_TRIGGERCTL_DIR) / GetParam();
  const TempDir dir;
  fs::copy(folder, dir.path(), fs::copy_options::recursive);
  dir.write("triggers.toml", "[runtime]\nstate_dir = \"var\"\n");
  fs::create_directory(dir / "var");
  FakeAdmin admin(dir / "var/admin.sock");
  admin.answer_as(content_of(fs::path(GOLDEN_TRIGGERCTL_DIR) / "answers.json"));
  if (fs::exists(folder / "answers.json")) admin.answer_as(content_of(folder / "answers.json"));

  const char* const path = std::getenv("PATH");
  std::string said;
  std::size_t seen = 0;
  std::ifstream commands(folder / "commands");
  for (std::string line; std::getline(commands, line);) {
    Process process({"/bin/sh", "-c", line},
                    {.cwd = dir.path(),
                     .env = {{"PATH", fs::path(TRIGGERCTL_BINARY).parent_path().string() + ":" +
                                          (path != nullptr ? path : "")},
                             {"LC_ALL", "C.UTF-8"},
                             {"TMPDIR", dir.path().string()}}});
    const auto exit = process.wait();
    ASSERT_TRUE(exit) << line;
    said += "$ " + line + "\n" + process.output();
    if (!said.ends_with('\n')) said += '\n';
    said += "exit " + std::to_string(exit->code) + "\n";
    const auto requests = admin.requests();
    for (; seen < requests.size(); ++seen) said += "> " + requests[seen] + "\n";
    said += '\n';
  }
  replace_all(said, dir.path().string(), "DIR");
  // How long a refused connection took, how libcurl puts it before 8.0, and what mkstemp makes up.
  said = std::regex_replace(said, std::regex("after [0-9]+ ms"), "after 0 ms");
  replace_all(said, "Couldn't connect to server", "Could not connect to server");
  said = std::regex_replace(said, std::regex("triggerctl-[A-Za-z0-9]{6}\\.toml"),
                            "triggerctl-XXXXXX.toml");
  if (std::getenv("TRIGGERD_WRITE_GOLDEN") != nullptr) {
    std::ofstream(folder / "expected", std::ios::binary) << said;
  }
  EXPECT_EQ(said, content_of(folder / "expected"));
  EXPECT_EQ(said.find('\x1b'), std::string::npos) << "a terminal would obey this";
}

INSTANTIATE_TEST_SUITE_P(, GoldenTriggerctl, testing::ValuesIn(golden_names(GOLDEN_TRIGGERCTL_DIR)),
                         golden_name_of);

}  // namespace
}  // namespace triggerd::test
