// Runs every folder of tests/golden/check, as its README.md describes.
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <map>
#include <string>
#include <vector>

#include "config/load.hpp"
#include "support/file_content.hpp"
#include "support/golden_cases.hpp"

namespace triggerd::config {
namespace {

namespace fs = std::filesystem;

Environment environment_of(const fs::path& file) {
  std::map<std::string, std::string> variables;
  std::ifstream in(file);
  for (std::string line; std::getline(in, line);) {
    const std::size_t equals = line.find('=');
    variables[line.substr(0, equals)] = line.substr(equals + 1);
  }
  return [variables](const std::string& name) -> std::optional<std::string> {
    const auto found = variables.find(name);
    if (found == variables.end()) return std::nullopt;
    return found->second;
  };
}

std::string lines_of(const tl::expected<Config, std::vector<Diagnostic>>& loaded) {
  std::string lines;
  if (loaded) return lines;
  for (const Diagnostic& diagnostic : loaded.error()) lines += to_string(diagnostic) + '\n';
  return lines;
}

// The files of a case name each other relative to its folder.
class WorkingDirectory {
 public:
  explicit WorkingDirectory(const fs::path& folder) : before_(fs::current_path()) {
    fs::current_path(folder);
  }
  ~WorkingDirectory() { fs::current_path(before_); }
  WorkingDirectory(const WorkingDirectory&) = delete;
  WorkingDirectory& operator=(const WorkingDirectory&) = delete;

 private:
  const fs::path before_;
};

TEST(GoldenCheckTest, EachFolderSaysExactlyWhatIsExpected) {
  std::size_t good = 0;
  std::size_t bad = 0;
  for (const fs::path& folder : test::golden_folders(GOLDEN_CHECK_DIR)) {
    SCOPED_TRACE(folder.filename().string());
    const std::string expected = test::content_that_is_there(folder / "expected");
    const WorkingDirectory inside(folder);
    const std::string found = lines_of(load("triggers.toml", environment_of("environment")));
    EXPECT_EQ(found, expected);
    const bool is_good = folder.filename().string().starts_with("good-");
    EXPECT_EQ(expected.empty(), is_good);
    ++(is_good ? good : bad);
  }
  EXPECT_GE(bad, 45u);
  EXPECT_GE(good, 5u);
}

TEST(GoldenCheckTest, NoSecretIsEverShown) {
  for (const fs::path& folder : test::golden_folders(GOLDEN_CHECK_DIR)) {
    const std::string expected = test::content_that_is_there(folder / "expected");
    EXPECT_EQ(expected.find("hunter"), std::string::npos) << folder;
  }
}

}  // namespace
}  // namespace triggerd::config
