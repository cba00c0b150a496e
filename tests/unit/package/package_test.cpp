// What a person does with packages, from packing to removing.
#include "package/package.hpp"

#include <sys/wait.h>
#include <unistd.h>

#include "package/state_file.hpp"
#include "package/values.hpp"
#include "unit/package/scene.hpp"

namespace triggerd::package {
namespace {

namespace fs = std::filesystem;

class PackageTest : public Scene {
 protected:
  std::string installed(const fs::path& file) { return error_of(packages().install(file)); }
  static config::LocalValues values(std::initializer_list<const char*> assignments) {
    config::LocalValues values;
    for (const char* assignment : assignments) EXPECT_TRUE(add_value(assignment, values));
    return values;
  }
  bool has_hidden() const {
    return std::any_of(
        fs::directory_iterator(dir_ / "packages"), fs::directory_iterator(),
        [](const auto& entry) { return entry.path().filename().string().starts_with(".staging"); });
  }
};

TEST_F(PackageTest, PackingTheSameFilesMakesTheSameBytes) {
  for (const char* kind : {".tar.gz", ".tar.zst"}) {
    const std::string first = content_of(archive("a", "1", "", "", kind));
    fs::last_write_time(dir_ / "source/a-1/package.toml",
                        fs::file_time_type::clock::now() - std::chrono::hours(1000));
    fs::permissions(dir_ / "source/a-1/plugins/a.so", fs::perms::owner_all);
    dir_.write("source/a-1/.hidden/file", "stays out");
    dir_.write("source/a-1/local.toml", "stays out");
    const fs::path again = dir_ / (std::string("again") + kind);
    ASSERT_TRUE(pack_package(dir_ / "source/a-1", again));
    EXPECT_EQ(content_of(again), first) << kind;
  }
}

TEST_F(PackageTest, WhatNobodyCouldInstallIsNotPacked) {
  const fs::path out = dir_ / "a.tar.gz";
  const fs::path folder = dir_ / "source/a";
  EXPECT_NE(error_of(pack_package(folder, out)).find("a package is a folder with a package.toml"),
            std::string::npos);
  dir_.write("source/a/package.toml", package_toml("a", "1"));
  EXPECT_NE(error_of(pack_package(folder, dir_ / "a.zip")).find("end it with .tar.zst or .tar.gz"),
            std::string::npos);
  dir_.write("source/a/triggers.toml", "x = ");
  EXPECT_NE(error_of(pack_package(folder, out)).find("source/a/triggers.toml:1:"),
            std::string::npos);
  dir_.write("source/a/triggers.toml", "");
  fs::create_symlink("/etc/passwd", folder / "link");
  EXPECT_NE(error_of(pack_package(folder, out)).find("neither a regular file nor a folder"),
            std::string::npos);
  fs::remove(folder / "link");
  dir_.write("source/a/with space", "");
  EXPECT_NE(error_of(pack_package(folder, out)).find("\"with space\" cannot be the name"),
            std::string::npos);
  fs::remove(folder / "with space");
  EXPECT_FALSE(fs::exists(out));
  for (const auto& entry : fs::directory_iterator(dir_.path())) {
    EXPECT_FALSE(entry.path().filename().string().starts_with('.')) << "left behind: " << entry;
  }
  EXPECT_EQ(error_of(pack_package(folder, out)), "done");
}

TEST_F(PackageTest, IsInstalledWithItsAliases) {
  const auto done = packages().install(archive("a", "1.2"));
  ASSERT_TRUE(done) << done.error().message;
  EXPECT_EQ(done->name, "a");
  EXPECT_EQ(done->version, "1.2");
  EXPECT_EQ(done->replaced, "");
  EXPECT_EQ(done->aliases, std::vector<std::string>{"a"});
  EXPECT_EQ(listed(), "a 1.2 enabled");
  EXPECT_EQ(packages_tree(), "a/package.toml: " + package_toml("a", "1.2") +
                                 "\na/plugins/a.so: plugin of 1.2\n" +
                                 "a/triggers.toml: " + triggers_toml("a") + "\n");
  EXPECT_FALSE(has_hidden());
  struct stat status {};
  ASSERT_EQ(::stat((dir_ / "packages/a").c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 0777, 0755U);
  const auto config = config::load(dir_ / "triggers.toml", no_variable, source());
  ASSERT_TRUE(config);
  EXPECT_NE(config->find_alias("a"), nullptr);
}

TEST_F(PackageTest, AnUpgradeReplacesItAndADowngradeIsAskedFor) {
  install(archive("a", "1"));
  const auto done = packages().install(archive("a", "2"));
  ASSERT_TRUE(done) << done.error().message;
  EXPECT_EQ(done->replaced, "1");
  EXPECT_EQ(listed(), "a 2 enabled");
  EXPECT_EQ(content_of(dir_ / "packages/a/plugins/a.so"), "plugin of 2");
  EXPECT_FALSE(has_hidden());
  EXPECT_EQ(installed(dir_ / "a-1.tar.gz"),
            "package \"a\" is installed in version 2, which is newer than 1; to replace it anyway, "
            "ask for a downgrade (--downgrade)");
  EXPECT_TRUE(packages().install(dir_ / "a-2.tar.gz")) << "the same one again";
  EXPECT_TRUE(packages().install(dir_ / "a-1.tar.gz", {}, true));
  EXPECT_EQ(listed(), "a 1 enabled");
}

TEST_F(PackageTest, AnUpgradeOfADisabledOneStaysDisabled) {
  install(archive("a", "1"));
  ASSERT_TRUE(packages().disable("a"));
  const auto done = packages().install(archive("a", "2"));
  ASSERT_TRUE(done);
  EXPECT_FALSE(done->enabled);
  EXPECT_EQ(listed(), "a 2 disabled");
  ASSERT_TRUE(packages().remove("a"));
  install(dir_ / "a-2.tar.gz");
  EXPECT_EQ(listed(), "a 2 enabled") << "nobody has disabled the new one";
}

TEST_F(PackageTest, LocalValuesAreKeptByUpgradesAndForItsOwnerAlone) {
  const auto done = packages().install(
      archive("a", "1"), values({"a.host=tcp://here:1", "a.user_name=me", "a.password=hunter2"}));
  ASSERT_TRUE(done) << done.error().message;
  const fs::path file = dir_ / "packages/a/local.toml";
  struct stat status {};
  ASSERT_EQ(::stat(file.c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 0777, 0600U);
  ASSERT_TRUE(packages().install(archive("a", "2"), values({"a.host=tcp://there:2"})));
  ASSERT_EQ(::stat(file.c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 0777, 0600U);
  const auto config = config::load(dir_ / "triggers.toml", no_variable, source());
  ASSERT_TRUE(config);
  const config::Alias* alias = config->find_alias("a");
  ASSERT_NE(alias, nullptr);
  EXPECT_EQ(config::to_string(alias->servers.at(0)), "tcp://there:2");
  EXPECT_EQ(alias->user_name, "me");
  EXPECT_EQ(alias->password.reveal(), "hunter2");
  ASSERT_TRUE(packages().remove("a"));
  EXPECT_EQ(packages_tree(), "") << "the password is gone with it";
}

TEST_F(PackageTest, WhatCouldNotBeLoadedIsNotInstalled) {
  dir_.write("triggers.toml", "[aliases.taken]\nhost = \"tcp://localhost\"\n");
  EXPECT_EQ(installed(archive("taken", "1")),
            "taken-1.tar.gz is not installed:\n"
            "packages/taken/triggers.toml:1:10: error: alias \"taken\" is already defined at "
            "triggers.toml:1:10; names must be unique across all files");
  EXPECT_EQ(installed(archive("b", "1", "{ name = \"a\" }")),
            "b-1.tar.gz is not installed:\n"
            "packages/b/package.toml:3:13: error: package \"b\" requires package \"a\", which is "
            "not installed");
  const auto wrong = packages().install(archive("c", "1"), values({"d.host=tcp://x"}));
  EXPECT_NE(
      error_of(wrong).find("packages/c/local.toml:3:10: error: the package has no alias \"d\""),
      std::string::npos)
      << error_of(wrong);
  dir_.write("damaged.tar.gz", content_of(dir_ / "b-1.tar.gz").substr(0, 200));
  EXPECT_NE(installed(dir_ / "damaged.tar.gz"), "done");
  EXPECT_EQ(packages_tree(), "");
  EXPECT_FALSE(has_hidden());
}

TEST_F(PackageTest, AnUpgradeThatBreaksAnotherOneIsRefused) {
  install(archive("a", "1"));
  install(archive("b", "1", "{ name = \"a\", version = \"<2\" }"));
  EXPECT_EQ(installed(archive("a", "2")),
            "a-2.tar.gz is not installed:\n"
            "packages/b/package.toml:3:13: error: package \"b\" requires package \"a\" <2, but "
            "version 2 is installed");
  EXPECT_EQ(listed(), "a 1 enabled, b 1 enabled");
}

TEST_F(PackageTest, ABrokenOneIsNoReasonToRefuseAnother) {
  dir_.write("packages/broken/package.toml", "");
  install(archive("a", "1"));
  EXPECT_EQ(listed(), "a 1 enabled, broken  broken");
  EXPECT_EQ(error_of(packages().disable("broken")), "done");
  EXPECT_NE(error_of(packages().enable("broken")).find("packages/broken/package.toml"),
            std::string::npos);
  EXPECT_EQ(error_of(packages().remove("broken")), "done");
}

TEST_F(PackageTest, DisablingAndEnablingIsKept) {
  install(archive("a", "1"));
  install(archive("b", "1", "{ name = \"a\" }"));
  EXPECT_EQ(error_of(packages().disable("a")),
            "package \"a\" cannot be disabled: package \"b\" requires it; disable that one first");
  EXPECT_EQ(error_of(packages().remove("a")),
            "package \"a\" cannot be removed: package \"b\" requires it; disable that one first");
  ASSERT_TRUE(packages().disable("b"));
  ASSERT_TRUE(packages().disable("b")) << "again";
  ASSERT_TRUE(packages().disable("a"));
  EXPECT_EQ(listed(), "a 1 disabled, b 1 disabled");
  EXPECT_EQ(error_of(packages().enable("b")),
            "package \"b\" cannot be enabled:\n"
            "packages/b/package.toml:3:13: error: package \"b\" requires package \"a\", which is "
            "disabled; enable it first");
  ASSERT_TRUE(packages().enable("a"));
  ASSERT_TRUE(packages().enable("b"));
  EXPECT_EQ(listed(), "a 1 enabled, b 1 enabled");
  EXPECT_EQ(error_of(packages().enable("c")),
            "there is no package \"c\" in packages; did you mean \"a\"?");
}

TEST_F(PackageTest, TwoThatRequireEachOtherCanBeTakenApart) {
  dir_.write("packages/a/package.toml", package_toml("a", "1", "{ name = \"b\" }"));
  dir_.write("packages/b/package.toml", package_toml("b", "1", "{ name = \"a\" }"));
  EXPECT_EQ(error_of(packages().disable("a")), "done");
  EXPECT_EQ(error_of(packages().remove("b")), "done");
}

TEST_F(PackageTest, AStateFileThatCannotBeReadIsSaidWithWhatToDo) {
  dir_.write("var/packages.toml", "disabled = 1\n");
  EXPECT_NE(listed().find("var/packages.toml: error: it does not say which packages are disabled"),
            std::string::npos)
      << listed();
}

TEST_F(PackageTest, AFolderThatSomebodyWorksOnIsNotReplaced) {
  const fs::path file = archive("a", "1");
  fs::create_directories(dir_ / "packages");
  fs::create_directory_symlink(dir_ / "source/a-1", dir_ / "packages/a");
  EXPECT_EQ(listed(), "a 1 enabled");
  EXPECT_NE(installed(file).find("is a link to another folder"), std::string::npos);
  ASSERT_TRUE(packages().remove("a"));
  EXPECT_TRUE(fs::exists(dir_ / "source/a-1/package.toml")) << "only the link is gone";
}

TEST_F(PackageTest, OneCommandAtATime) {
  const fs::path file = archive("a", "1");
  std::string other;
  Packages first(dir_ / "triggers.toml", no_variable,
                 [&](std::string_view) { other = error_of(packages().remove("a")); });
  ASSERT_TRUE(first.install(file));
  EXPECT_NE(other.find("another command is changing the packages"), std::string::npos) << other;
}

// The process ends at each step in turn: there is the old package or the new one, the next command
// works, and nothing is left.
class EndAtEachStep : public PackageTest {
 protected:
  // Ends a process that does `change` at its step `number`; false: there is no such step.
  bool end_at(int number, const std::function<void(Packages&)>& change) {
    const pid_t child = ::fork();
    if (child == 0) {
      int step = 0;
      Packages dying(dir_ / "triggers.toml", no_variable, [&](std::string_view) {
        if (step++ == number) ::_exit(77);
      });
      change(dying);
      ::_exit(0);
    }
    int status = 0;
    EXPECT_EQ(::waitpid(child, &status, 0), child);
    EXPECT_TRUE(WIFEXITED(status));
    return WEXITSTATUS(status) == 77;
  }
};

TEST_F(EndAtEachStep, OfAnInstall) {
  const fs::path file = archive("a", "1");
  int step = 0;
  for (; end_at(step, [&](Packages& dying) { (void)dying.install(file); }); ++step) {
    const std::string found = listed();
    EXPECT_TRUE(found == "" || found == "a 1 enabled") << found;
    if (!found.empty()) {
      EXPECT_EQ(content_of(dir_ / "packages/a/plugins/a.so"), "plugin of 1");
    }
    EXPECT_EQ(installed(file), "done");
    EXPECT_FALSE(has_hidden());
    ASSERT_TRUE(packages().remove("a"));
  }
  EXPECT_EQ(step, 4);
}

TEST_F(EndAtEachStep, OfAnUpgrade) {
  const fs::path old = archive("a", "1");
  const fs::path file = archive("a", "2");
  std::set<std::string> seen;
  int step = 0;
  install(old);
  ASSERT_TRUE(packages().install(old, values({"a.host=tcp://kept"})));
  for (; end_at(step,
                [&](Packages& dying) { (void)dying.install(file, values({"a.client_id=new"})); });
       ++step) {
    const std::string found = listed();
    seen.insert(found);
    const bool is_new = found == "a 2 enabled";
    EXPECT_EQ(content_of(dir_ / "packages/a/plugins/a.so"), is_new ? "plugin of 2" : "plugin of 1");
    const std::string local = content_of(dir_ / "packages/a/local.toml");
    EXPECT_NE(local.find("tcp://kept"), std::string::npos);
    EXPECT_EQ(local.find("client_id") != std::string::npos, is_new) << "with its values";
    ASSERT_TRUE(packages().remove("a"));
    EXPECT_FALSE(has_hidden());
    ASSERT_TRUE(packages().install(old, values({"a.host=tcp://kept"})));
  }
  EXPECT_EQ(step, 4);
  EXPECT_EQ(seen, (std::set<std::string>{"a 1 enabled", "a 2 enabled"}));
}

TEST_F(EndAtEachStep, OfARemove) {
  const fs::path file = archive("a", "1");
  int step = 0;
  install(file);
  for (; end_at(step, [&](Packages& dying) { (void)dying.remove("a"); }); ++step) {
    EXPECT_EQ(listed(), "");
    install(file);
    EXPECT_FALSE(has_hidden());
  }
  EXPECT_EQ(step, 1);
}

}  // namespace
}  // namespace triggerd::package
