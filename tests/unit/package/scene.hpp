// A runtime's folders, and packages that a test puts into them.
#pragma once

#include <gtest/gtest.h>
#include <sys/stat.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <string>

#include "package/package.hpp"
#include "support/file_content.hpp"
#include "support/temp_dir.hpp"

namespace triggerd::package {

using triggerd::test::content_of;

// Every file below `folder` with its content, hidden ones left out.
inline std::string tree(const std::filesystem::path& folder) {
  std::vector<std::string> lines;
  std::error_code error;
  for (std::filesystem::recursive_directory_iterator at(folder, error), end; !error && at != end;
       at.increment(error)) {
    if (at->path().filename().string().starts_with('.')) {
      at.disable_recursion_pending();
    } else if (at->is_regular_file()) {
      lines.push_back(at->path().lexically_relative(folder).string() + ": " +
                      content_of(at->path()) + "\n");
    }
  }
  std::sort(lines.begin(), lines.end());
  std::string text;
  for (const std::string& line : lines) text += line;
  return text;
}

inline std::optional<std::string> no_variable(const std::string&) {
  return std::nullopt;
}

inline std::string package_toml(const std::string& name, const std::string& version,
                                const std::string& needs = "") {
  return "name = \"" + name + "\"\nversion = \"" + version + "\"\nrequires = [" + needs + "]\n";
}

// One alias and one trigger of that name.
inline std::string triggers_toml(const std::string& name) {
  return "[aliases." + name + "]\nhost = \"tcp://localhost\"\n[[triggers]]\nname = \"" + name +
         "\"\nalias = \"" + name + "\"\ntopics = [\"a\"]\nservice = \"log\"\n";
}

class Scene : public testing::Test {
 protected:
  void SetUp() override { dir_.write("triggers.toml", ""); }

  // Packed, and not installed yet.
  std::filesystem::path archive(const std::string& name, const std::string& version,
                                const std::string& needs = "", const std::string& triggers = "",
                                const std::string& kind = ".tar.gz") {
    const std::string folder = "source/" + name + "-" + version;
    dir_.write(folder + "/package.toml", package_toml(name, version, needs));
    dir_.write(folder + "/triggers.toml", triggers.empty() ? triggers_toml(name) : triggers);
    dir_.write(folder + "/plugins/" + name + ".so", "plugin of " + version);
    std::filesystem::path file = dir_ / (name + "-" + version + kind);
    const auto packed = pack_package(dir_ / folder, file);
    EXPECT_TRUE(packed) << packed.error().message;
    return file;
  }
  Packages packages() const { return {dir_ / "triggers.toml", no_variable}; }
  void install(const std::filesystem::path& file) {
    const auto installed = packages().install(file);
    ASSERT_TRUE(installed) << installed.error().message;
  }
  // "a 1 enabled, b 2 broken".
  std::string listed() const {
    const auto list = packages().list();
    if (!list) return list.error().message;
    std::string text;
    for (const config::Package& package : *list) {
      text += (text.empty() ? "" : ", ") + package.name + " " + package.version + " " +
              (!package.enabled           ? "disabled"
               : package.problems.empty() ? "enabled"
                                          : "broken");
    }
    return text;
  }
  // Without the folder of this test.
  std::string shown(std::string text) const {
    const std::string here = dir_.path().string() + "/";
    for (std::size_t at = 0; (at = text.find(here)) != std::string::npos;) {
      text.erase(at, here.size());
    }
    return text;
  }
  template <class T>
  std::string error_of(const Result<T>& result) const {
    return result ? "done" : shown(result.error().message);
  }
  std::string packages_tree() const { return tree(dir_ / "packages"); }

  const test::TempDir dir_;
};

}  // namespace triggerd::package
