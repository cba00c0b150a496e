// What packages add to a configuration, and that one which is wrong costs itself alone.
#include <gtest/gtest.h>

#include "config/load.hpp"
#include "support/temp_dir.hpp"

namespace triggerd::config {
namespace {

constexpr const char* kMain = "[aliases.plant]\nhost = \"tcp://localhost\"\n";

std::string trigger(const std::string& name, const std::string& alias) {
  return "[[triggers]]\nname = \"" + name + "\"\nalias = \"" + alias +
         "\"\ntopics = [\"a\"]\nservice = \"log\"\n";
}
std::string alias(const std::string& name) {
  return "[aliases." + name + "]\nhost = \"tcp://localhost\"\n";
}

class PackagesTest : public testing::Test {
 protected:
  // A package of `name`, whose triggers.toml has this text.
  void add(const std::string& name, const std::string& triggers,
           std::vector<std::string> required = {}, bool enabled = true) {
    folder_.write("packages/" + name + "/triggers.toml", triggers);
    Package package;
    package.name = name;
    package.version = "1";
    package.folder = folder_ / "packages" / name;
    package.enabled = enabled;
    for (std::string& other : required) {
      package.requirements.push_back({std::move(other), {name + "/package.toml", 3, 13}});
    }
    packages_.push_back(std::move(package));
  }
  tl::expected<Config, std::vector<Diagnostic>> load_all() {
    const auto nothing = [](const std::string&) -> std::optional<std::string> {
      return std::nullopt;
    };
    return load(folder_ / "triggers.toml", nothing,
                [this](const std::filesystem::path& dir, const std::filesystem::path& state) {
                  asked_ = {dir, state};
                  return packages_;
                });
  }
  Config good() {
    auto loaded = load_all();
    if (loaded) return *std::move(loaded);
    for (const Diagnostic& d : loaded.error()) ADD_FAILURE() << to_string(d);
    return {};
  }
  // Without the folder of this test.
  std::string shown(const std::vector<Diagnostic>& diagnostics) const {
    const std::string here = folder_.path().string() + "/";
    std::string text;
    for (const Diagnostic& diagnostic : diagnostics) {
      std::string line = to_string(diagnostic);
      for (std::size_t at = 0; (at = line.find(here)) != std::string::npos;) {
        line.erase(at, here.size());
      }
      text += line + '\n';
    }
    return text;
  }
  std::string problems(const Config& config, const std::string& package) const {
    const Package* found = config.find_package(package);
    return found == nullptr ? "no such package" : shown(found->problems);
  }

  const test::TempDir folder_;
  std::vector<Package> packages_;
  std::vector<std::filesystem::path> asked_;
};

TEST_F(PackagesTest, BringAliasesAndTriggers) {
  folder_.write("triggers.toml", kMain);
  add("a", alias("boiler") + trigger("t", "boiler") + trigger("u", "plant"));
  const Config config = good();
  EXPECT_EQ(asked_, (std::vector{folder_ / "packages", folder_ / "var"}));
  EXPECT_EQ(problems(config, "a"), "");
  ASSERT_NE(config.find_alias("boiler"), nullptr);
  EXPECT_EQ(config.find_alias("boiler")->package, "a");
  EXPECT_EQ(config.find_alias("plant")->package, "");
  ASSERT_NE(config.find_trigger("t"), nullptr);
  EXPECT_EQ(config.find_trigger("t")->package, "a");
  EXPECT_EQ(config.find_trigger("t")->place.file, folder_ / "packages/a/triggers.toml");
}

TEST_F(PackagesTest, PackagesDirAndStateDirAreWhereTheMainFileSaysThem) {
  folder_.write("triggers.toml", "[runtime]\npackages_dir = \"p/\"\nstate_dir = \"s\"\n");
  EXPECT_EQ(good().runtime.packages_dir, folder_ / "p");
  EXPECT_EQ(asked_, (std::vector{folder_ / "p", folder_ / "s"}));
}

TEST_F(PackagesTest, OneThatIsWrongCostsItselfAlone) {
  folder_.write("triggers.toml", kMain);
  add("a", alias("one") + trigger("t", "one"));
  add("b", alias("two") + "hots = 1\n" + trigger("u", "thre"));
  add("c", alias("three"));
  const Config config = good();
  EXPECT_EQ(problems(config, "a") + problems(config, "c"), "");
  EXPECT_EQ(problems(config, "b"),
            "packages/b/triggers.toml:3:1: error: unknown key \"hots\" in [aliases.two]; did you "
            "mean \"hosts\"?\n"
            "packages/b/triggers.toml:6:9: error: there is no alias \"thre\"\n");
  EXPECT_EQ(config.find_alias("two"), nullptr);
  EXPECT_EQ(config.find_trigger("u"), nullptr);
  EXPECT_NE(config.find_alias("three"), nullptr);
  EXPECT_EQ(config.package_problems().size(), 2U);
}

TEST_F(PackagesTest, NamesAreUniqueAcrossAllAndTheLaterOneGoes) {
  folder_.write("triggers.toml", kMain + trigger("t", "plant"));
  add("a", alias("boiler"));
  add("b", alias("boiler") + alias("plant") + trigger("t", "plant"));
  const Config config = good();
  EXPECT_EQ(problems(config, "b"),
            "packages/b/triggers.toml:1:10: error: alias \"boiler\" is already defined at "
            "packages/a/triggers.toml:1:10; names must be unique across all files\n"
            "packages/b/triggers.toml:3:10: error: alias \"plant\" is already defined at "
            "triggers.toml:1:10; names must be unique across all files\n"
            "packages/b/triggers.toml:6:8: error: trigger \"t\" is already defined at "
            "triggers.toml:4:8; names must be unique across all files\n");
  EXPECT_EQ(config.triggers.size(), 1U);
}

TEST_F(PackagesTest, UseAliasesOfThoseThatTheyRequire) {
  folder_.write("triggers.toml", kMain);
  add("a", alias("boiler"));
  add("b", trigger("t", "boiler"), {"a"});
  add("c", trigger("u", "boiler"));
  const Config config = good();
  EXPECT_EQ(problems(config, "b"), "");
  EXPECT_EQ(
      problems(config, "c"),
      "packages/c/triggers.toml:3:9: error: alias \"boiler\" belongs to package \"a\", which "
      "package \"c\" does not require; add { name = \"a\" } to requires in its package.toml\n");
}

TEST_F(PackagesTest, ThoseThatRequireABrokenOneAreBrokenToo) {
  folder_.write("triggers.toml", kMain);
  add("a", "not TOML");
  add("b", "", {"a"});
  add("c", "", {"b"});
  add("d", "");
  const Config config = good();
  EXPECT_EQ(problems(config, "b"),
            "b/package.toml:3:13: error: package \"b\" requires package \"a\", which cannot be "
            "loaded\n");
  EXPECT_NE(problems(config, "c"), "");
  EXPECT_EQ(problems(config, "d"), "");
}

TEST_F(PackagesTest, TheMainFileMayUseTheirAliasesAndABrokenOneDoesNotStopIt) {
  folder_.write("triggers.toml", trigger("t", "boiler"));
  add("a", alias("boiler"));
  EXPECT_EQ(good().triggers.size(), 1U);
  packages_.clear();
  add("a", alias("boiler") + "hots = 1\n");
  EXPECT_EQ(good().triggers.size(), 1U);
  packages_.clear();
  const auto loaded = load_all();
  ASSERT_FALSE(loaded);
  EXPECT_EQ(shown(loaded.error()), "triggers.toml:3:9: error: there is no alias \"boiler\"\n");
}

TEST_F(PackagesTest, ErrorsOfTheMainFileAreStillErrorsOfAll) {
  folder_.write("triggers.toml", "[log]\nlevl = \"info\"\n");
  add("a", "nothing = 1\n");
  const auto loaded = load_all();
  ASSERT_FALSE(loaded);
  EXPECT_EQ(shown(loaded.error()),
            "triggers.toml:2:1: error: unknown key \"levl\" in [log]; did you mean \"level\"?\n"
            "packages/a/triggers.toml:1:1: error: unknown key \"nothing\" in this file\n");
}

TEST_F(PackagesTest, WhatADisabledOneCarriesIsDisabledAndItsErrorsAreNobodysBusiness) {
  folder_.write("triggers.toml", kMain);
  add("a", alias("boiler") + trigger("t", "boiler"), {}, false);
  add("b", "not TOML", {}, false);
  const Config config = good();
  ASSERT_NE(config.find_trigger("t"), nullptr);
  EXPECT_FALSE(config.find_trigger("t")->enabled);
  EXPECT_FALSE(config.find_alias("boiler")->enabled);
  EXPECT_TRUE(config.find_alias("plant")->enabled);
  EXPECT_TRUE(config.package_problems().empty());
}

TEST_F(PackagesTest, HaveNothingToSayOfTheRuntime) {
  folder_.write("triggers.toml", kMain);
  add("a", "[runtime]\nname = \"mine\"\n");
  EXPECT_EQ(problems(good(), "a"),
            "packages/a/triggers.toml:1:1: error: [runtime] is not allowed in this file, which is "
            "for aliases and triggers; write it into the runtime's own triggers.toml\n");
}

TEST_F(PackagesTest, PluginsAreLookedForInThePackageThenInThoseItRequiresThenInPluginDirs) {
  folder_.write("triggers.toml", "[runtime]\nplugin_dirs = [\"p\"]\n");
  add("a", "");
  add("b", "", {"a"});
  add("c", "", {"b"});
  const Config config = good();
  using Paths = std::vector<std::filesystem::path>;
  EXPECT_EQ(config.plugin_dirs_for(""), Paths{folder_ / "p"});
  EXPECT_EQ(config.plugin_dirs_for("c"),
            (Paths{folder_ / "packages/c/plugins", folder_ / "packages/b/plugins", folder_ / "p"}));
}

TEST_F(PackagesTest, RelativePathsStartAtThePackage) {
  folder_.write("triggers.toml", "");
  folder_.write("packages/a/secret", "hunter2\n");
  add("a", alias("boiler") + "user_name = \"u\"\npassword_file = \"secret\"\n");
  EXPECT_EQ(good().find_alias("boiler")->password.reveal(), "hunter2");
}

TEST_F(PackagesTest, LocalValuesTakeThePlaceOfTheirOwn) {
  folder_.write("triggers.toml", "");
  add("a",
      "[aliases.boiler]\nhosts = [\"tcp://one\", \"tcp://two\"]\nuser_name = \"u\"\n"
      "password_file = \"nowhere\"\ndescription = \"stays\"\n");
  folder_.write("packages/a/local.toml",
                "[aliases.boiler]\nhost = \"tcp://here:1884\"\nclient_id = \"me\"\n"
                "password = \"hunter2\"\n");
  const Config config = good();
  ASSERT_EQ(problems(config, "a"), "");
  const Alias* boiler = config.find_alias("boiler");
  ASSERT_EQ(boiler->servers.size(), 1U);
  EXPECT_EQ(to_string(boiler->servers[0]), "tcp://here:1884");
  EXPECT_EQ(boiler->client_id, "me");
  EXPECT_EQ(boiler->user_name, "u");
  EXPECT_EQ(boiler->password.reveal(), "hunter2");
  EXPECT_EQ(boiler->description, "stays");
}

TEST_F(PackagesTest, LocalValuesThatCannotBeAreReportedWhereTheyStand) {
  folder_.write("triggers.toml", "");
  add("a", alias("boiler"));
  folder_.write("packages/a/local.toml",
                "[aliases.boiler]\nhost = \"gopher://hunter2\"\nkeep_alive = 1\n"
                "password = \"${NO_SUCH_VARIABLE}\"\n[aliases.boilre]\nhost = \"tcp://x\"\n");
  const std::string found = problems(good(), "a");
  EXPECT_NE(found.find("packages/a/local.toml:2:8: error: host: "), std::string::npos) << found;
  EXPECT_NE(found.find("packages/a/local.toml:3:1: error: unknown key \"keep_alive\""),
            std::string::npos)
      << found;
  EXPECT_NE(found.find("packages/a/local.toml:4:12: error: password: environment variable "
                       "NO_SUCH_VARIABLE is not set"),
            std::string::npos)
      << found;
  EXPECT_NE(found.find("packages/a/local.toml:5:10: error: the package has no alias \"boilre\""),
            std::string::npos)
      << found;
  EXPECT_EQ(found.find("hunter2"), std::string::npos) << found;
}

TEST_F(PackagesTest, TheManagedFileIsReadFromTheStateFolder) {
  folder_.write("triggers.toml", kMain);
  folder_.write("var/managed.toml", trigger("t", "plant"));
  EXPECT_NE(good().find_trigger("t"), nullptr);
  folder_.write("var/managed.toml", trigger("t", "plnt") + "[log]\nlevel = \"info\"\n");
  const auto loaded = load_all();
  ASSERT_FALSE(loaded);
  EXPECT_EQ(shown(loaded.error()),
            "var/managed.toml:3:9: error: there is no alias \"plnt\"; did you mean \"plant\"?\n"
            "var/managed.toml:6:1: error: [log] is not allowed in this file, which is for aliases "
            "and triggers; write it into the runtime's own triggers.toml\n");
}

}  // namespace
}  // namespace triggerd::config
