// Every folder of tests/golden/packages, as its README.md describes, through the real binary.
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <iterator>
#include <sstream>

#include "support/file_content.hpp"
#include "support/golden_cases.hpp"
#include "support/process.hpp"
#include "support/temp_dir.hpp"
#include "support/triggerd_process.hpp"

namespace triggerd::test {
namespace {

namespace fs = std::filesystem;

class GoldenPackages : public testing::TestWithParam<std::string> {};

TEST_P(GoldenPackages, SayExactlyWhatIsExpected) {
  const fs::path folder = fs::path(GOLDEN_PACKAGES_DIR) / GetParam();
  const TempDir dir;
  fs::copy(folder, dir.path(), fs::copy_options::recursive);
  std::string said;
  std::ifstream steps(folder / "steps");
  for (std::string line; std::getline(steps, line);) {
    std::vector<std::string> argv{TRIGGERD_BINARY};
    std::istringstream words(line);
    argv.insert(argv.end(), std::istream_iterator<std::string>(words), {});
    Process process(std::move(argv), {.cwd = dir.path(),
                                      .env = {{"GOLDEN_PLUGINS", TriggerdProcess::plugin_dir()}}});
    const auto exit = process.wait();
    ASSERT_TRUE(exit) << line;
    said += "$ " + line + "\n" + process.output();
    if (!said.ends_with('\n')) said += '\n';
    said += "exit " + std::to_string(exit->code) + "\n";
  }
  // The one part that is another one on each machine.
  const std::string plugins = TriggerdProcess::plugin_dir().string();
  for (std::size_t at = 0; (at = said.find(plugins, at)) != std::string::npos;) {
    said.replace(at, plugins.size(), "GOLDEN_PLUGINS");
  }
  EXPECT_EQ(said, content_that_is_there(folder / "expected"));
  EXPECT_EQ(said.find("hunter"), std::string::npos) << "a secret is shown";
}

INSTANTIATE_TEST_SUITE_P(, GoldenPackages, testing::ValuesIn(golden_names(GOLDEN_PACKAGES_DIR)),
                         golden_name_of);

}  // namespace
}  // namespace triggerd::test
