// Each thing that can be wrong with a plugin's file or table, and what is said about it.
#include <csignal>
#include <cstdlib>
#include <fstream>

#include "hostile_fixture.hpp"

namespace triggerd::plugin {
namespace {

class LoadTest : public HostileTest {
 protected:
  // Loads it, and afterwards nothing of it is left.
  void expect_refused(const std::string& name, const std::string& message) {
    EXPECT_EQ(load_error(source(name)),
              fmt::format("plugin \"{}\": {} {}", name, hostile_plugin(name).string(), message));
    EXPECT_TRUE(stage_is_empty());
    EXPECT_FALSE(is_mapped(stage()));
  }
};

TEST_F(LoadTest, WithoutTheEntrySymbol) {
  expect_refused(
      "no_entry",
      "exports no trigger_plugin_entry_v1; build it with trigger_add_plugin(), or export "
      "that function");
}

// Its constructor aborts, so that it was refused in time is proven by being here.
TEST_F(LoadTest, OfAnotherMajorByItsSymbol) {
  expect_refused("other_major_symbol",
                 "exports trigger_plugin_entry_v2 and no trigger_plugin_entry_v1, so it was built "
                 "for plugin ABI major 2; this runtime has major 1: rebuild the plugin against its "
                 "trigger/plugin.h, or use a runtime of major 2");
}

TEST_F(LoadTest, WithAnEntryThatIsNoFunction) {
  expect_refused("data_entry",
                 "exports trigger_plugin_entry_v1 as ELF symbol type 1, not as a function (2)");
}

TEST_F(LoadTest, OfAnotherMajorByItsTable) {
  expect_refused("other_major_field",
                 "says plugin ABI major 2, this runtime has major 1; build it against that");
}

TEST_F(LoadTest, WithATinyTable) {
  expect_refused(
      "tiny_plugin",
      "has trigger_plugin.struct_size 4; ABI 1.0 has 56, and more than 65536 is not a size: "
      "set it to sizeof");
}

TEST_F(LoadTest, WithAHugeTable) {
  expect_refused("huge_plugin",
                 "has trigger_plugin.struct_size 268435457; ABI 1.0 has 56, and more than 65536 is "
                 "not a size: set it to sizeof");
}

TEST_F(LoadTest, WithATinyService) {
  expect_refused("tiny_service",
                 fmt::format("has services[0].struct_size 24; ABI 1.0 has {}, and more than 65536 "
                             "is not a size: set it to sizeof",
                             sizeof(trigger_service)));
}

TEST_F(LoadTest, WithoutARequiredFunction) {
  expect_refused("no_handle",
                 "has services[0].handle = NULL; create, start, handle, stop and destroy are "
                 "required of every service");
}

TEST_F(LoadTest, WithANullService) {
  expect_refused("null_service", "has services[1] = NULL");
}

TEST_F(LoadTest, WithOneNameTwice) {
  expect_refused("same_names", "has services[0] and services[1] with the same name \"first\"");
}

TEST_F(LoadTest, ThatRefusesTheHost) {
  expect_refused("null_entry",
                 "refuses this runtime: its entry function returned NULL for plugin ABI 1.1; its "
                 "log lines may say why");
  const auto lines = log_.lines("plugin.log");
  ASSERT_EQ(lines.size(), 1u);
  EXPECT_EQ(lines[0].text, "this host is not for me");
  EXPECT_EQ(lines[0].fields.at("plugin"), "null_entry");
}

TEST_F(LoadTest, ThatThrowsInItsEntry) {
  expect_refused("throws_in_entry",
                 "threw an exception from trigger_plugin_entry_v1: thrown in entry");
}

TEST_F(LoadTest, ThatNeedsASymbolNobodyHas) {
  expect_refused("undefined",
                 "cannot be loaded: undefined symbol: a_function_that_nobody_has; link the plugin "
                 "with -Wl,--no-undefined to find it at build time");
}

// A constructor runs inside of dlopen, before anything of the plugin can be looked at: whoever
// loads this one goes with it. A process that must live has another one load it first.
TEST_F(LoadTest, WhoseConstructorCrashesEndsTheProcess) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  EXPECT_EXIT(
      {
        const auto generation = Generation::load(source("crashes_in_constructor"), log_);
        std::filesystem::remove_all(dir_.path());
        std::exit(0);
      },
      testing::KilledBySignal(SIGABRT), "");
}

TEST_F(LoadTest, ThatIsNoLibrary) {
  Generation::Source script = source("script");
  script.file = dir_.write("script.so", "#!/bin/sh\nexit 0\n");
  EXPECT_EQ(
      load_error(script),
      fmt::format("plugin \"script\": {} begins with \"#!/bin\", not with an ELF header: it is "
                  "a script; a plugin is a shared library",
                  script.file.string()));
  EXPECT_TRUE(stage_is_empty());
}

TEST_F(LoadTest, ThatIsNotThere) {
  Generation::Source absent = source("absent");
  EXPECT_EQ(load_error(absent), fmt::format("plugin \"absent\": {} cannot be opened: No such file "
                                            "or directory",
                                            absent.file.string()));
}

TEST_F(LoadTest, WithNothingWrong) {
  const auto generation = load(source("nothing_wrong"));
  ASSERT_TRUE(generation);
  EXPECT_EQ(generation->service_names(), (std::vector<std::string>{"first", "second"}));
}

}  // namespace
}  // namespace triggerd::plugin
