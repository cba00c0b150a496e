// Which packages there are, whether what they require is there, and in which order they come.
#include "package/dependencies.hpp"

#include "package/package_file.hpp"
#include "unit/package/scene.hpp"

namespace triggerd::package {
namespace {

class DependenciesTest : public Scene {
 protected:
  void add(const std::string& name, const std::string& version, const std::string& needs = "") {
    dir_.write("packages/" + name + "/package.toml", package_toml(name, version, needs));
  }
  std::vector<config::Package> found(const std::set<std::string>& disabled = {}) {
    return resolve(find_candidates(dir_ / "packages", disabled).value());
  }
  // The order, and then everything that is wrong.
  std::string told(const std::set<std::string>& disabled = {}) {
    std::string names;
    std::string problems;
    for (const config::Package& package : found(disabled)) {
      names += package.name + " ";
      for (const auto& problem : package.problems) problems += config::to_string(problem) + "\n";
    }
    return shown(names + "\n" + problems);
  }
};

TEST_F(DependenciesTest, WhatIsRequiredComesFirstElseByName) {
  add("a", "1", "{ name = \"d\" }, { name = \"c\", version = \">=1, <2\" }");
  add("b", "1");
  add("c", "1.5", "{ name = \"d\" }");
  add("d", "1");
  EXPECT_EQ(told(), "d c a b \n");
}

TEST_F(DependenciesTest, WhatIsMissingDisabledOrOfAnotherVersionIsNamed) {
  add("a", "1", "{ name = \"boilres\" }");
  add("b", "1", "{ name = \"boilers\", version = \">=2\" }");
  add("c", "1", "{ name = \"off\" }");
  add("boilers", "1.4");
  add("off", "1");
  EXPECT_EQ(
      told({"off"}),
      "a boilers b c off \n"
      "packages/a/package.toml:3:13: error: package \"a\" requires package \"boilres\", which "
      "is not installed; did you mean \"boilers\"?\n"
      "packages/b/package.toml:3:13: error: package \"b\" requires package \"boilers\" >=2, but "
      "version 1.4 is installed\n"
      "packages/c/package.toml:3:13: error: package \"c\" requires package \"off\", which is "
      "disabled; enable it first\n");
  EXPECT_EQ(told({"off", "a", "b", "c"}), "boilers a b off c \n")
      << "a disabled one misses nothing";
}

TEST_F(DependenciesTest, ACircleIsToldToAllInItAndToNobodyElse) {
  add("a", "1", "{ name = \"b\" }");
  add("b", "1", "{ name = \"c\" }");
  add("c", "1", "{ name = \"b\" }");
  add("d", "1", "{ name = \"d\" }");
  add("e", "1");
  const std::string text = told();
  for (const char* wrong : {"b", "c"}) {
    EXPECT_NE(text.find(std::string("packages/") + wrong +
                        "/package.toml: error: packages require each other in a cycle: b -> c -> "
                        "b;"),
              std::string::npos)
        << text;
  }
  EXPECT_NE(text.find("packages/d/package.toml: error: packages require each other in a cycle: "
                      "d -> d;"),
            std::string::npos)
      << text;
  EXPECT_EQ(text.find("packages/e/"), std::string::npos) << text;
}

TEST_F(DependenciesTest, EveryMistakeInAPackageFileIsTold) {
  dir_.write("packages/a/package.toml",
             "name = \"A/b\"\nversion = \"one\"\ndesription = 1\n"
             "requires = [1, { name = \"x\", version = \"2\" }, { version = \">=1\" }, "
             "{ name = \"x\" }]\n");
  dir_.write("packages/b/package.toml", package_toml("c", "1"));
  dir_.write("packages/c/README.md", "no package");
  dir_.write("packages/file", "no folder");
  dir_.write("packages/.hidden/package.toml", "");
  const std::string text = told();
  for (const char* line :
       {"packages/a/package.toml:1:8: error: \"A/b\" is not a valid package name; ",
        "packages/a/package.toml:2:11: error: version: \"one\" is not a version; ",
        "packages/a/package.toml:3:1: error: unknown key \"desription\" in package.toml; did you "
        "mean \"description\"?",
        "packages/a/package.toml:4:13: error: an element of requires must be { name = \"...\" }, ",
        "packages/a/package.toml:4:40: error: version: \"2\" is not a version range; ",
        "an element of requires has no name; ", "error: package \"x\" is required already",
        "packages/b/package.toml: error: the package is named \"c\" but its folder \"b\"; ",
        "packages/c/package.toml: error: cannot open "}) {
    EXPECT_NE(text.find(line), std::string::npos) << line << "\nis not in\n" << text;
  }
  EXPECT_TRUE(text.starts_with("a b c \n")) << text;
}

TEST_F(DependenciesTest, NoFolderIsNoPackages) {
  EXPECT_TRUE(find_candidates(dir_ / "nowhere", {})->empty());
  EXPECT_FALSE(find_candidates(dir_ / "triggers.toml", {}));
}

}  // namespace
}  // namespace triggerd::package
