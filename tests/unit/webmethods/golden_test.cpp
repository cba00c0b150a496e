// Runs every folder of tests/golden/import-webmethods, as its README.md describes.
#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include "support/file_content.hpp"
#include "support/golden_cases.hpp"
#include "webmethods/webmethods.hpp"

namespace triggerd::webmethods {
namespace {

namespace fs = std::filesystem;

Options options_of(const fs::path& file) {
  Options options{.file = "export.json"};
  std::ifstream in(file);
  for (std::string line; std::getline(in, line);) {
    const std::string service = "service ";
    if (line == "exact") {
      options.exact = true;
    } else if (line == "flat") {
      options.flat = true;
    } else if (line.starts_with(service)) {
      const std::size_t equals = line.find('=');
      options.services[line.substr(service.size(), equals - service.size())] =
          line.substr(equals + 1);
    } else {
      ADD_FAILURE() << file << " has a line that means nothing: " << line;
    }
  }
  return options;
}

std::string lines_of(const std::vector<Remark>& remarks, std::string_view kind) {
  std::string lines;
  for (const Remark& remark : remarks) lines += to_string(remark, "export.json", kind) + '\n';
  return lines;
}

// Each file with its name in front, as triggerctl writes them.
std::string packages_of(const Imported& imported) {
  std::string text;
  for (const ImportedPackage& package : imported.packages) {
    text += "==> packages/" + package.name + "/package.toml\n" + package.package_toml;
    text += "==> packages/" + package.name + "/triggers.toml\n" + package.triggers_toml;
  }
  return text;
}

void compare(const fs::path& file, const std::string& found) {
  if (std::getenv("TRIGGERD_WRITE_GOLDEN") != nullptr) {
    fs::remove(file);
    if (!found.empty()) std::ofstream(file, std::ios::binary) << found;
  }
  EXPECT_EQ(found, test::content_of(file)) << file;
}

TEST(GoldenImportTest, EachFolderBecomesExactlyWhatIsExpected) {
  std::size_t good = 0;
  std::size_t bad = 0;
  for (const fs::path& folder : test::golden_folders(GOLDEN_IMPORT_DIR)) {
    SCOPED_TRACE(folder.filename().string());
    const auto imported =
        import(test::content_of(folder / "export.json"), options_of(folder / "options"));
    compare(folder / "expected.toml", imported ? imported->toml : "");
    compare(folder / "expected.packages", imported ? packages_of(*imported) : "");
    compare(folder / "expected.differences",
            imported ? lines_of(imported->differences, "note") : "");
    compare(folder / "expected.errors", imported ? "" : lines_of(imported.error(), "error"));
    ++(imported ? good : bad);
  }
  EXPECT_GE(good, 5u);
  EXPECT_GE(bad, 5u);
}

TEST(GoldenImportTest, NoPasswordIsCarried) {
  for (const fs::path& folder : test::golden_folders(GOLDEN_IMPORT_DIR)) {
    for (const char* file :
         {"expected.toml", "expected.packages", "expected.differences", "expected.errors"}) {
      EXPECT_EQ(test::content_of(folder / file).find("hunter"), std::string::npos)
          << folder << file;
    }
  }
}

}  // namespace
}  // namespace triggerd::webmethods
